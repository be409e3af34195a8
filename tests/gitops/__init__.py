"""The charts and what brings them into a cluster: a real control plane, with Argo CD and KEDA, without a kubelet."""
