"""What the SDKs do not say of the real providers: which property refers to what, and which change replaces.

Sources: the providers' documentation of each resource (arguments marked as forcing a new resource), November 2026.
"""

from __future__ import annotations

_VPC, _SUBNET = "aws:ec2/vpc:Vpc", "aws:ec2/subnet:Subnet"
_ROLE, _EKS = "aws:iam/role:Role", "aws:eks/cluster:Cluster"
_TABLE = "aws:ec2/routeTable:RouteTable"
_TEMPLATE = "aws:ec2/launchTemplate:LaunchTemplate"
_NETWORK, _SUBNETWORK = "gcp:compute/network:Network", "gcp:compute/subnetwork:Subnetwork"
_GKE, _ACCOUNT = "gcp:container/cluster:Cluster", "gcp:serviceaccount/account:Account"
_GROUP, _NET = "azure-native:resources:ResourceGroup", "azure-native:network:VirtualNetwork"
_AZURE_SUBNET = "azure-native:network:Subnet"
_AKS = "azure-native:containerservice:ManagedCluster"
_IDENTITY = "azure-native:managedidentity:UserAssignedIdentity"
_VAULT, _NAT = "azure-native:keyvault:Vault", "azure-native:network:NatGateway"
_KEY = "azure-native:keyvault:Key"
_NAMESPACE = "kubernetes:core/v1:Namespace"

#: Type → path of an input → (type, attribute) that must exist, and that cannot go while this is there.
REFERENCES: dict[str, dict[str, tuple[str, str]]] = {
    _SUBNET: {"vpcId": (_VPC, "id")},
    _TABLE: {"vpcId": (_VPC, "id"), "routes[].gatewayId": ("aws:ec2/internetGateway:InternetGateway", "id")},
    "aws:ec2/internetGateway:InternetGateway": {"vpcId": (_VPC, "id")},
    "aws:ec2/routeTableAssociation:RouteTableAssociation": {
        "subnetId": (_SUBNET, "id"),
        "routeTableId": (_TABLE, "id"),
    },
    "aws:ec2/vpcEndpoint:VpcEndpoint": {"vpcId": (_VPC, "id"), "routeTableIds[]": (_TABLE, "id")},
    "aws:ec2/natGateway:NatGateway": {"vpcId": (_VPC, "id"), "subnetId": (_SUBNET, "id")},
    _EKS: {
        "roleArn": (_ROLE, "arn"),
        "vpcConfig.subnetIds[]": (_SUBNET, "id"),
        "encryptionConfig.provider.keyArn": ("aws:kms/key:Key", "arn"),
    },
    "aws:eks/nodeGroup:NodeGroup": {
        "clusterName": (_EKS, "name"),
        "nodeRoleArn": (_ROLE, "arn"),
        "subnetIds[]": (_SUBNET, "id"),
        "launchTemplate.id": (_TEMPLATE, "id"),
    },
    "aws:eks/addon:Addon": {"clusterName": (_EKS, "name")},
    "aws:eks/accessEntry:AccessEntry": {"clusterName": (_EKS, "name")},
    "aws:eks/podIdentityAssociation:PodIdentityAssociation": {"clusterName": (_EKS, "name"), "roleArn": (_ROLE, "arn")},
    "aws:iam/rolePolicyAttachment:RolePolicyAttachment": {"role": (_ROLE, "name")},
    "aws:iam/rolePolicy:RolePolicy": {"role": (_ROLE, "name")},
    "aws:ecr/lifecyclePolicy:LifecyclePolicy": {"repository": ("aws:ecr/repository:Repository", "name")},
    "aws:secretsmanager/secretVersion:SecretVersion": {"secretId": ("aws:secretsmanager/secret:Secret", "id")},
    _SUBNETWORK: {"network": (_NETWORK, "id")},
    "gcp:compute/router:Router": {"network": (_NETWORK, "id")},
    "gcp:compute/routerNat:RouterNat": {"router": ("gcp:compute/router:Router", "name")},
    _GKE: {"network": (_NETWORK, "id"), "subnetwork": (_SUBNETWORK, "id")},
    "gcp:container/nodePool:NodePool": {"cluster": (_GKE, "id"), "nodeConfig.serviceAccount": (_ACCOUNT, "email")},
    "gcp:serviceaccount/iAMMember:IAMMember": {"serviceAccountId": (_ACCOUNT, "name")},
    "gcp:secretmanager/secretVersion:SecretVersion": {"secret": ("gcp:secretmanager/secret:Secret", "id")},
    _NET: {"resourceGroupName": (_GROUP, "name")},
    _AZURE_SUBNET: {"virtualNetworkName": (_NET, "name"), "natGateway.id": (_NAT, "id")},
    _AKS: {
        "resourceGroupName": (_GROUP, "name"),
        "identity.userAssignedIdentities[]": (_IDENTITY, "id"),
        "agentPoolProfiles[].vnetSubnetID": (_AZURE_SUBNET, "id"),
        "securityProfile.azureKeyVaultKms.keyId": (_KEY, "keyUriWithVersion"),
    },
    "azure-native:containerservice:AgentPool": {"resourceName": (_AKS, "name"), "vnetSubnetID": (_AZURE_SUBNET, "id")},
    "azure-native:managedidentity:FederatedIdentityCredential": {"resourceName": (_IDENTITY, "name")},
    _KEY: {"vaultName": (_VAULT, "name")},
    "azure-native:keyvault:Secret": {"vaultName": (_VAULT, "name")},
    "azure-native:containerregistry:Registry": {"resourceGroupName": (_GROUP, "name")},
    "kubernetes:core/v1:Secret": {"metadata.namespace": (_NAMESPACE, "id")},
    "kubernetes:helm.sh/v3:Release": {"namespace": (_NAMESPACE, "id")},
    "kubernetes:argoproj.io/v1alpha1:Application": {"metadata.namespace": (_NAMESPACE, "id")},
}

#: Type → paths of inputs whose change makes a new one. Names do so everywhere.
REPLACES: dict[str, tuple[str, ...]] = {
    _VPC: ("cidrBlock",),
    _SUBNET: ("vpcId", "cidrBlock", "availabilityZone"),
    _EKS: (
        "roleArn",
        "accessConfig.bootstrapClusterCreatorAdminPermissions",
        "kubernetesNetworkConfig",
        "encryptionConfig",
    ),
    "aws:eks/nodeGroup:NodeGroup": (
        "clusterName",
        "nodeRoleArn",
        "subnetIds",
        "amiType",
        "capacityType",
        "instanceTypes",
        "diskSize",
    ),
    "aws:autoscaling/tag:Tag": ("autoscalingGroupName", "tag.key"),
    _SUBNETWORK: ("network", "region"),
    _GKE: ("location", "network", "subnetwork", "networkingMode", "datapathProvider", "ipAllocationPolicy"),
    "gcp:container/nodePool:NodePool": (
        "cluster",
        "location",
        "nodeConfig.machineType",
        "nodeConfig.spot",
        "nodeConfig.diskType",
        "nodeConfig.guestAccelerators",
        "nodeConfig.taints",
        "nodeConfig.serviceAccount",
    ),
    _AKS: ("resourceGroupName", "location", "dnsPrefix", "networkProfile.podCidr", "networkProfile.serviceCidr"),
    "azure-native:containerservice:AgentPool": (
        "resourceName",
        "vmSize",
        "osDiskSizeGB",
        "scaleSetPriority",
        "spotMaxPrice",
        "scaleSetEvictionPolicy",
        "availabilityZones",
    ),
    "aws:route53/record:Record": ("zoneId",),
    "gcp:dns/recordSet:RecordSet": ("managedZone",),
    "azure-native:dns:RecordSet": ("relativeRecordSetName", "recordType"),
    "random:index/randomBytes:RandomBytes": ("length", "keepers"),
}
NAMES = (
    "name",
    "nodeGroupName",
    "resourceName",
    "resourceGroupName",
    "agentPoolName",
    "accountId",
    "secretId",
    "repositoryId",
    "zoneName",
    "vaultName",
    "registryName",
    "secretName",
    "keyName",
)
