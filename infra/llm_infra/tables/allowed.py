"""Values that the clouds' interfaces allow where the SDKs say only ``str``.

Sources: the interfaces' references (EKS CreateCluster and CreateNodegroup, GKE v1 Cluster and NodePool), November 2026.
"""

from __future__ import annotations

EKS_AMI_TYPES = frozenset(
    {
        "AL2023_x86_64_STANDARD",
        "AL2023_ARM_64_STANDARD",
        "AL2023_x86_64_NVIDIA",
        "BOTTLEROCKET_x86_64",
        "BOTTLEROCKET_ARM_64",
        "BOTTLEROCKET_x86_64_NVIDIA",
    }
)
EKS_CAPACITY_TYPES = frozenset({"ON_DEMAND", "SPOT", "CAPACITY_BLOCK"})
EKS_AUTHENTICATION_MODES = frozenset({"API", "API_AND_CONFIG_MAP", "CONFIG_MAP"})
EKS_SUPPORT_TYPES = frozenset({"STANDARD", "EXTENDED"})
EKS_LOG_TYPES = frozenset({"api", "audit", "authenticator", "controllerManager", "scheduler"})
#: Of EKS and of GKE alike; Kubernetes and AKS write NoSchedule.
API_TAINT_EFFECTS = frozenset({"NO_SCHEDULE", "PREFER_NO_SCHEDULE", "NO_EXECUTE"})
ECR_TAG_MUTABILITY = frozenset({"MUTABLE", "IMMUTABLE"})

GKE_RELEASE_CHANNELS = frozenset({"RAPID", "REGULAR", "STABLE", "EXTENDED"})
GKE_DATAPATHS = frozenset({"LEGACY_DATAPATH", "ADVANCED_DATAPATH"})
GKE_LOCATION_POLICIES = frozenset({"BALANCED", "ANY"})
GKE_GPU_DRIVERS = frozenset({"DEFAULT", "LATEST", "INSTALLATION_DISABLED"})
GKE_METADATA_MODES = frozenset({"GKE_METADATA", "GCE_METADATA"})
GKE_ACCELERATORS = frozenset({"nvidia-tesla-t4"})
