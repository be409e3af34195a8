"""What a cloud adds to a resource that it has made: ids, endpoints, certificates."""

from __future__ import annotations

import base64
import hashlib
import json
import os
import re
from collections.abc import Callable
from typing import Any

ACCOUNT = "123456789012"
PROJECT = "demo-project"
TOKEN = "ya29.token-of-the-deployer"
SUBSCRIPTION = "/subscriptions/00000000-0000-0000-0000-000000000001"
TENANT = "00000000-0000-0000-0000-000000000002"
REGION = "us-west-2"

#: Where a test runs a real Kubernetes API server, every emulated cluster is that one.
API_SERVER, API_SERVER_CA = "EMULATED_API_SERVER", "EMULATED_API_SERVER_CA"

State = dict[str, Any]


def of(token: str, name: str, inputs: State) -> tuple[str, State]:
    """Id and outputs, the same ones for the same token and name. ``name``: the resource's, where it has no other."""
    cloud, kind = token.split(":")[0], token.rsplit(":", 1)[1]
    ident, added = _CLOUDS[cloud](token, kind, name, inputs)
    return ident, {**inputs, **added, **_SPECIAL.get(token, _nothing)(name, {**inputs, **added})}


def previewed(token: str, inputs: State) -> State:
    """What a provider tells before anything is made: the inputs, in the shape of outputs."""
    return {key: value for key, value in inputs.items() if key not in _RESHAPED.get(token, ())}


def updated(token: str, olds: State, inputs: State) -> State:
    """The state after a change of the inputs."""
    kept = {key: olds[key] for key in _RESHAPED.get(token, ()) if key in olds}
    return {**olds, **inputs, **kept}


def digest(*parts: str, length: int = 8) -> str:
    return hashlib.sha256("/".join(parts).encode()).hexdigest()[:length]


def ca_base64() -> str:
    made_up = base64.b64encode(b"-----BEGIN CERTIFICATE-----\nc3RhbmQtaW4=\n-----END CERTIFICATE-----\n").decode()
    return os.environ.get(API_SERVER_CA, made_up)


def server(made_up: str) -> str:
    return os.environ.get(API_SERVER, made_up)


# ---------------------------------------------------------------- each cloud's habits

_AWS_PREFIXES = {
    "Vpc": "vpc",
    "Subnet": "subnet",
    "InternetGateway": "igw",
    "RouteTable": "rtb",
    "NatGateway": "nat",
    "Eip": "eipalloc",
    "LaunchTemplate": "lt",
    "VpcEndpoint": "vpce",
    "Zone": "Z",
}


def _aws(token: str, kind: str, name: str, inputs: State) -> tuple[str, State]:
    service = token.split(":")[1].split("/")[0]
    own = inputs.get("name") or name
    ident = f"{_AWS_PREFIXES[kind]}-{digest(token, name, length=17)}" if kind in _AWS_PREFIXES else own
    if kind == "Tag":
        ident = f"{inputs['autoscalingGroupName']},{inputs['tag']['key']}"
    if token == "aws:route53/record:Record":
        ident = f"{inputs['zoneId']}_{own}_{inputs['type']}"
    region = "" if service == "iam" else REGION
    return ident, {"arn": f"arn:aws:{service}:{region}:{ACCOUNT}:{kind.lower()}/{ident}", "name": own}


def _gcp(token: str, kind: str, name: str, inputs: State) -> tuple[str, State]:
    place = inputs.get("location") or inputs.get("region") or "global"
    own = inputs.get("name") or inputs.get("accountId") or inputs.get("secretId") or inputs.get("repositoryId") or name
    ident = f"projects/{PROJECT}/locations/{place}/{kind[0].lower()}{kind[1:]}s/{own}"
    if kind == "RecordSet":
        ident = f"projects/{PROJECT}/managedZones/{inputs['managedZone']}/rrsets/{own}/{inputs['type']}"
    return ident, {"name": own, "selfLink": f"https://www.googleapis.com/v1/{ident}", "project": PROJECT}


def _azure(token: str, kind: str, name: str, inputs: State) -> tuple[str, State]:
    group = inputs.get("resourceGroupName", name)
    base = str(inputs.get("scope") or f"{SUBSCRIPTION}/resourceGroups/{group}")
    own = name
    for key in (f"{kind[0].lower()}{kind[1:]}Name", "resourceName", "agentPoolName", "zoneName", "resourceGroupName"):
        if key in inputs and not (key == "resourceGroupName" and kind != "ResourceGroup"):
            own = inputs[key]
    if kind == "AgentPool":
        own = inputs.get("agentPoolName", name)
        cluster = f"{base}/providers/Microsoft.containerservice/ManagedCluster/{inputs['resourceName']}"
        return f"{cluster}/agentPools/{own}", {"name": own, "provisioningState": "Succeeded"}
    if kind == "RecordSet":
        own = inputs["relativeRecordSetName"]
        kind = f"Zone/{inputs['zoneName']}/{inputs['recordType']}"
    path = base if kind == "ResourceGroup" else f"{base}/providers/Microsoft.{token.split(':')[1]}/{kind}/{own}"
    return path, {"name": own, "provisioningState": "Succeeded"}


def _kubernetes(token: str, kind: str, name: str, inputs: State) -> tuple[str, State]:
    metadata = inputs.get("metadata") or {}
    own, namespace = metadata.get("name") or inputs.get("name") or name, metadata.get("namespace")
    return f"{namespace}/{own}" if namespace else own, {}


def _random(token: str, kind: str, name: str, inputs: State) -> tuple[str, State]:
    secret = hashlib.sha256(name.encode()).digest()[: int(inputs["length"])]
    return digest(name), {"base64": base64.b64encode(secret).decode(), "hex": secret.hex()}


_CLOUDS: dict[str, Callable[[str, str, str, State], tuple[str, State]]] = {
    "aws": _aws,
    "gcp": _gcp,
    "azure-native": _azure,
    "kubernetes": _kubernetes,
    "random": _random,
    "pulumi": lambda token, kind, name, inputs: (digest(token, name), {}),
}

# ---------------------------------------------------------------- what some types add


def _nothing(name: str, state: State) -> State:
    return {}


def _eks(name: str, state: State) -> State:
    ident = digest(name, length=32).upper()
    return {
        "endpoint": server(f"https://{ident}.gr7.{REGION}.eks.amazonaws.com"),
        "certificateAuthority": {"data": ca_base64()},
        "identities": [{"oidcs": [{"issuer": f"https://oidc.eks.{REGION}.amazonaws.com/id/{ident}"}]}],
        "status": "ACTIVE",
    }


def _node_group(name: str, state: State) -> State:
    group = f"eks-{name}-{digest(name)}"
    return {
        "nodeGroupName": state.get("nodeGroupName", name),
        "resources": [{"autoscalingGroups": [{"name": group}]}],
        "status": "ACTIVE",
    }


def _gke(name: str, state: State) -> State:
    made_up = f"gke-{digest(name, length=12)}.us-central1.gke.goog"
    endpoint = server(made_up).removeprefix("https://")
    dns = {"endpoint": endpoint, "allowExternalTraffic": True}
    return {
        "endpoint": "203.0.113.10",
        "masterAuth": {"clusterCaCertificate": ca_base64()},
        "controlPlaneEndpointsConfig": {**state.get("controlPlaneEndpointsConfig", {}), "dnsEndpointConfig": dns},
        "nodePools": [],
    }


def _aks(name: str, state: State) -> State:
    issuer = f"https://eastus.oic.prod-aks.azure.com/{TENANT}/{digest(name)}/"
    kubelet = {"objectId": digest(name, "kubelet"), "clientId": digest(name, "client")}
    users = (state.get("identity") or {}).get("userAssignedIdentities") or []
    identity = {"type": "UserAssigned", "userAssignedIdentities": {user: {} for user in users}}
    return {
        "fqdn": server(f"https://{name}.hcp.eastus.azmk8s.io").removeprefix("https://"),
        "oidcIssuerProfile": {"enabled": True, "issuerURL": issuer},
        "identityProfile": {"kubeletidentity": kubelet},
        # A list going in, a map coming out.
        "identity": identity,
        "nodeResourceGroup": f"MC_{name}",
    }


_SPECIAL: dict[str, Callable[[str, State], State]] = {
    "aws:eks/cluster:Cluster": _eks,
    "aws:eks/nodeGroup:NodeGroup": _node_group,
    "aws:ec2/launchTemplate:LaunchTemplate": lambda name, state: {"latestVersion": 1},
    "aws:ecr/repository:Repository": lambda name, state: {
        "repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{state['name']}"
    },
    "aws:route53/zone:Zone": lambda name, state: {"nameServers": [f"ns-{i}.awsdns-{i}.example" for i in range(1, 5)]},
    "gcp:container/cluster:Cluster": _gke,
    "gcp:serviceaccount/account:Account": lambda name, state: {
        "email": f"{state['accountId']}@{PROJECT}.iam.gserviceaccount.com",
        "member": f"serviceAccount:{state['accountId']}@{PROJECT}.iam.gserviceaccount.com",
    },
    "gcp:dns/managedZone:ManagedZone": lambda name, state: {
        "nameServers": [f"ns-cloud-a{i}.googledomains.example." for i in range(1, 5)]
    },
    "azure-native:containerservice:ManagedCluster": _aks,
    "azure-native:containerregistry:Registry": lambda name, state: {"loginServer": f"{state['name']}.azurecr.io"},
    "azure-native:managedidentity:UserAssignedIdentity": lambda name, state: {
        "clientId": digest(name, "client"),
        "principalId": digest(name, "principal"),
        "tenantId": TENANT,
    },
    "azure-native:keyvault:Key": lambda name, state: {
        "keyUriWithVersion": f"https://{state['vaultName']}.vault.azure.net/keys/{state['keyName']}/{digest(name)}"
    },
    "azure-native:network:PublicIPAddress": lambda name, state: {"ipAddress": "198.51.100.7"},
    "azure-native:dns:Zone": lambda name, state: {"nameServers": [f"ns{i}-01.azure-dns.example." for i in range(1, 5)]},
    "azure-native:keyvault:Vault": lambda name, state: {
        "properties": {**state["properties"], "vaultUri": f"https://{state['name']}.vault.azure.net/"}
    },
}


#: Properties that come back otherwise than they went in.
_RESHAPED = {
    "azure-native:containerservice:ManagedCluster": ("identity", "oidcIssuerProfile"),
    "azure-native:keyvault:Vault": ("properties",),
    "gcp:container/cluster:Cluster": ("controlPlaneEndpointsConfig",),
}


#: Name, id and status of what the account has: a Local Zone, too.
ZONES = (
    (f"{REGION}-lax-1a", "usw2-lax1-az1", "opted-in"),
    *((f"{REGION}{zone}", f"usw2-az{number}", "opt-in-not-required") for number, zone in enumerate("abc", 1)),
)


def _zones(args: State) -> list[str]:
    wanted = {entry["name"]: entry["values"] for entry in args.get("filters", ())}.get("opt-in-status")
    excluded = args.get("excludeZoneIds", ())
    return [name for name, ident, status in ZONES if ident not in excluded and (not wanted or status in wanted)]


#: The zone that the account has in each cloud, made by nobody here.
HOSTED = "example.com"


class Missing(Exception):
    """What a cloud answers of things that it does not have."""


def _route53_zone(args: State) -> State:
    if args["name"] != HOSTED or args.get("privateZone"):
        raise Missing("no matching Route 53 Hosted Zone found")
    return {"zoneId": "Z0123456789EXAMPLE", "name": HOSTED, "id": "Z0123456789EXAMPLE"}


def _managed_zones(args: State) -> State:
    zones = (("inside", HOSTED, "private"), ("outside", HOSTED, "public"), ("other", "example.net", "public"))
    listed = [{"name": name, "dnsName": f"{zone}.", "visibility": to} for name, zone, to in zones]
    return {"managedZones": listed, "id": f"projects/{PROJECT}/managedZones", "project": PROJECT}


def _azure_zone(args: State) -> State:
    if (args["resourceGroupName"], args["zoneName"]) != ("names", HOSTED):
        raise Missing("ResourceNotFound: The Resource 'Microsoft.Network/dnszones' was not found")
    return {"name": HOSTED, "id": f"{SUBSCRIPTION}/resourceGroups/names/providers/Microsoft.Network/dnszones/{HOSTED}"}


_LOOKUPS: dict[str, Callable[[State], State]] = {
    "aws:route53/getZone:getZone": _route53_zone,
    "gcp:dns/getManagedZones:getManagedZones": _managed_zones,
    "azure-native:dns:getZone": _azure_zone,
}


def calls(token: str, args: State) -> State:
    """Answers of the functions that the programs call. ``KeyError``: not emulated. Raises ``Missing``."""
    if token in _LOOKUPS:
        return _LOOKUPS[token](args)
    kubeconfig = {
        "clusters": [
            {
                "name": args.get("resourceName", ""),
                "cluster": {
                    "server": server("https://aks.example:443"),
                    "certificate-authority-data": ca_base64(),
                },
            }
        ]
    }
    known: dict[str, State] = {
        "aws:index/getAvailabilityZones:getAvailabilityZones": {"names": _zones(args), "id": REGION},
        "aws:index/getCallerIdentity:getCallerIdentity": {
            "arn": f"arn:aws:sts::{ACCOUNT}:assumed-role/deployer/session",
            "accountId": ACCOUNT,
            "id": ACCOUNT,
            "userId": "AROA",
        },
        "aws:iam/getSessionContext:getSessionContext": {
            "arn": args.get("arn", ""),
            "issuerArn": re.sub(r"sts::(\d+):assumed-role/(.*)/.*", r"iam::\1:role/\2", args.get("arn", "")),
            "id": "session",
            "issuerId": "",
            "issuerName": "",
            "sessionName": "",
        },
        "aws:ec2/getSpotPrice:getSpotPrice": {
            "spotPrice": "0.245300",
            "spotPriceTimestamp": "2026-11-20T10:00:00Z",
            "instanceType": args.get("instanceType", ""),
            "id": REGION,
        },
        "gcp:organizations/getProject:getProject": {
            "number": "1234567890",
            "projectId": PROJECT,
            "billingAccount": "0A0A0A-0B0B0B-0C0C0C",
            "id": PROJECT,
        },
        "gcp:organizations/getClientConfig:getClientConfig": {
            "accessToken": TOKEN,
            "defaultLabels": {},
            "id": "config",
            "project": PROJECT,
            "region": "us-central1",
            "zone": "",
        },
        "azure-native:authorization:getClientConfig": {
            "clientId": "client",
            "objectId": "deployer",
            "subscriptionId": SUBSCRIPTION.rsplit("/", 1)[1],
            "tenantId": TENANT,
        },
        "azure-native:containerservice:listManagedClusterUserCredentials": {
            "kubeconfigs": [{"name": "user", "value": base64.b64encode(json.dumps(kubeconfig).encode()).decode()}]
        },
    }
    return known[token]
