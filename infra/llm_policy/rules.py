"""The rules as plain functions: a resource's type and inputs go in, what is wrong with it comes out."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

Props = Mapping[str, Any]
Rule = Callable[[str, Props], Iterator[str]]

EVERYWHERE = ("0.0.0.0/0", "::/0")
EKS, EKS_GROUP = "aws:eks/cluster:Cluster", "aws:eks/nodeGroup:NodeGroup"
GKE, GKE_POOL = "gcp:container/cluster:Cluster", "gcp:container/nodePool:NodePool"
AKS, AKS_POOL = "azure-native:containerservice:ManagedCluster", "azure-native:containerservice:AgentPool"
AZURE_GROUP = "azure-native:resources:ResourceGroup"
#: Actions that only look: their lists cannot be narrowed to a resource.
_LOOKS = ("Describe", "List", "Get")


def at(props: Any, path: str) -> Any:
    """The value at ``a.b.c``; None where a part of the path is missing."""
    for step in path.split("."):
        props = props.get(step) if isinstance(props, Mapping) else None
    return props


def in_production(props: Props) -> bool:
    """By the tag that the stacks put on all that can carry one."""
    return any(at(props, f"{key}.environment") == "prod" for key in ("tags", "labels", "resourceLabels"))


def api_endpoint(kind: str, props: Props) -> Iterator[str]:
    if kind == EKS and at(props, "vpcConfig.endpointPublicAccess") is not False:
        cidrs = at(props, "vpcConfig.publicAccessCidrs") or EVERYWHERE
        if in_production(props) and any(cidr in EVERYWHERE for cidr in cidrs):
            yield "the Kubernetes API is open to everybody: name networks in apiServerCidrs"
    if kind == AKS and in_production(props):
        private = at(props, "apiServerAccessProfile.enablePrivateCluster")
        if not private and not at(props, "apiServerAccessProfile.authorizedIPRanges"):
            yield "the Kubernetes API is open to everybody: name networks in apiServerCidrs"
    if kind == GKE and at(props, "controlPlaneEndpointsConfig.ipEndpointsConfig.enabled") is not False:
        yield "the Kubernetes API has an address of its own: leave the DNS endpoint, which IAM guards, as its only door"


def no_open_firewall(kind: str, props: Props) -> Iterator[str]:
    """Load balancers of the gateways bring rules of their own; no program makes another way in."""
    rules: list[Any] = []
    if kind in ("aws:ec2/securityGroup:SecurityGroup", "aws:ec2/defaultSecurityGroup:DefaultSecurityGroup"):
        rules = [cidr for rule in props.get("ingress") or () for cidr in rule.get("cidrBlocks") or ()]
    if kind == "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule":
        rules = [props.get("cidrIpv4"), props.get("cidrIpv6")]
    if kind == "gcp:compute/firewall:Firewall" and props.get("direction", "INGRESS") == "INGRESS":
        rules = list(props.get("sourceRanges") or ())
    if any(rule in EVERYWHERE for rule in rules):
        yield "lets everybody in: only the gateways' load balancers may, and they are not made here"


def encrypted(kind: str, props: Props) -> Iterator[str]:
    if kind == EKS and "secrets" not in (at(props, "encryptionConfig.resources") or ()):
        yield "Kubernetes secrets are not encrypted with a key of ours: set encryptionConfig"
    if kind == "aws:ec2/launchTemplate:LaunchTemplate":
        for mapping in props.get("blockDeviceMappings") or ():
            if str(at(mapping, "ebs.encrypted")).lower() != "true":
                yield "a node's disk is not encrypted: set ebs.encrypted"
    if kind == "aws:kms/key:Key" and not props.get("enableKeyRotation"):
        yield "the key is never rotated: set enableKeyRotation"
    of_ebs = kind == "kubernetes:storage.k8s.io/v1:StorageClass" and props.get("provisioner") == "ebs.csi.aws.com"
    if of_ebs and at(props, "parameters.encrypted") != "true":
        yield "volumes of this class are not encrypted: set parameters.encrypted"
    if kind == GKE and in_production(props) and at(props, "databaseEncryption.state") != "ENCRYPTED":
        yield "Kubernetes secrets are not encrypted with a key of ours: set databaseEncryption"
    if kind == AKS and in_production(props) and not at(props, "securityProfile.azureKeyVaultKms.enabled"):
        yield "Kubernetes secrets are not encrypted with a key of ours: set securityProfile.azureKeyVaultKms"


def private_nodes(kind: str, props: Props) -> Iterator[str]:
    message = "nodes have public addresses in production: set privateNodes"
    if kind == "aws:ec2/subnet:Subnet" and in_production(props) and props.get("mapPublicIpOnLaunch"):
        yield message
    if kind == GKE and in_production(props) and not at(props, "privateClusterConfig.enablePrivateNodes"):
        yield message
    if kind == AKS_POOL and props.get("enableNodePublicIP"):
        yield message


def no_wildcards(kind: str, props: Props) -> Iterator[str]:
    """IAM documents allow named actions on named resources; only looking may be at everything."""
    if kind not in ("aws:iam/rolePolicy:RolePolicy", "aws:iam/policy:Policy"):
        return
    for statement in json.loads(props.get("policy") or "{}").get("Statement", ()):
        if statement.get("Effect") != "Allow":
            continue
        actions, resources = _listed(statement.get("Action")), _listed(statement.get("Resource"))
        for action in actions:
            if "*" in action:
                yield f"allows {action}: name the actions"
            elif "*" in resources and not action.split(":")[1].startswith(_LOOKS):
                yield f"allows {action} on every resource: name them"


def _listed(value: Any) -> list[str]:
    return [value] if isinstance(value, str) else list(value or ())


def standard_support(kind: str, props: Props) -> Iterator[str]:
    if kind == EKS and at(props, "upgradePolicy.supportType") != "STANDARD":
        yield "falls into extended support, at six times the price: set upgradePolicy.supportType to STANDARD"
    if kind == GKE and at(props, "releaseChannel.channel") in (None, "EXTENDED"):
        yield "is not in a channel of standard support: set releaseChannel to REGULAR"
    if kind == AKS and props.get("supportPlan") == "AKSLongTermSupport":
        yield "has long-term support, at six times the price: leave supportPlan out"


def gpu_pools(kind: str, props: Props) -> Iterator[str]:
    """Where a GPU is, the nodes are spot ones, tainted, and none of them runs for nothing."""
    if kind == EKS_GROUP and "NVIDIA" in (props.get("amiType") or ""):
        yield from _gpu_pool(
            spot=props.get("capacityType") == "SPOT",
            least=at(props, "scalingConfig.minSize"),
            tainted=any(taint.get("key") == "nvidia.com/gpu" for taint in props.get("taints") or ()),
        )
    if kind == GKE_POOL and at(props, "nodeConfig.guestAccelerators"):
        yield from _gpu_pool(
            spot=bool(at(props, "nodeConfig.spot")),
            least=at(props, "autoscaling.totalMinNodeCount"),
            tainted=any(taint.get("key") == "nvidia.com/gpu" for taint in at(props, "nodeConfig.taints") or ()),
        )
    if kind == AKS_POOL and "gpuProfile" in props:
        yield from _gpu_pool(
            spot=props.get("scaleSetPriority") == "Spot",
            least=props.get("minCount"),
            tainted=any(str(taint).startswith("nvidia.com/gpu=") for taint in props.get("nodeTaints") or ()),
        )


def _gpu_pool(*, spot: bool, least: Any, tainted: bool) -> Iterator[str]:
    if not spot:
        yield "has GPUs and is not of spot nodes"
    if least != 0:
        # The engine's numbers are floats.
        kept = f"{least:g}" if isinstance(least, int | float) else "an unknown number of"
        yield f"has GPUs and keeps {kept} nodes running: its least number must be 0"
    if not tainted:
        yield "has GPUs and no taint nvidia.com/gpu: other pods would fill it"


def tagged(kind: str, props: Props) -> Iterator[str]:
    """What costs money says whose it is."""
    key = {
        **dict.fromkeys((EKS, EKS_GROUP, AKS, AKS_POOL), "tags"),
        GKE: "resourceLabels",
        GKE_POOL: "nodeConfig.resourceLabels",
    }.get(kind)
    if kind in ("aws:ec2/natGateway:NatGateway", "azure-native:network:NatGateway", "aws:ec2/vpc:Vpc"):
        key = "tags"
    if key is not None:
        missing = sorted({"project", "environment", "cluster"} - set(at(props, key) or ()))
        if missing:
            yield f"has no {', '.join(missing)} among its {key}"


def protected(kind: str, props: Props, *, by_pulumi: bool) -> Iterator[str]:
    """``by_pulumi``: the resource's option ``protect``. AKS has no property of its own that would keep it."""
    if kind in (EKS, GKE) and in_production(props) and not props.get("deletionProtection"):
        yield "is production and can be deleted: set deletionProtection"
    if kind in (AKS, AZURE_GROUP) and in_production(props) and not by_pulumi:
        yield "is production and can be deleted: set the option protect"


#: Name → (what it demands, how it is judged).
RULES: dict[str, tuple[str, Rule]] = {
    "api-endpoint": ("The Kubernetes API is not open to everybody.", api_endpoint),
    "no-open-firewall": ("Nothing but the gateways is reached from everywhere.", no_open_firewall),
    "encrypted": ("Disks and Kubernetes secrets are encrypted.", encrypted),
    "private-nodes": ("Nodes of production have no public addresses.", private_nodes),
    "no-wildcards": ("IAM documents name actions and resources.", no_wildcards),
    "standard-support": ("Clusters stay in standard support.", standard_support),
    "gpu-pools": ("GPU pools are spot pools that go to zero.", gpu_pools),
    "tagged": ("What costs money says whose it is.", tagged),
}

#: Types that are made to hold secrets; whatever else holds one shows it.
KEEPERS = frozenset(
    {
        "random:index/randomBytes:RandomBytes",
        "kubernetes:core/v1:Secret",
        "aws:secretsmanager/secretVersion:SecretVersion",
        "gcp:secretmanager/secretVersion:SecretVersion",
        "azure-native:keyvault:Secret",
    }
)


def shown_secrets(resources: list[tuple[str, str, Props]]) -> Iterator[tuple[str, str]]:
    """(type, URN, properties) of a stack → URN and message of each resource that shows a generated key."""
    keys = {
        props[form]
        for kind, _, props in resources
        if kind == "random:index/randomBytes:RandomBytes"
        for form in ("base64", "hex")
        if isinstance(props.get(form), str)
    }
    for kind, urn, props in resources:
        if kind not in KEEPERS and not kind.startswith("llm-platform:") and any(key in str(props) for key in keys):
            yield urn, "holds a gate key where everybody can read it"
