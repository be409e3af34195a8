"""GKE Standard and what it needs."""
