"""EKS and what it needs, of raw resources: each is in the state, in the preview and in the tests."""
