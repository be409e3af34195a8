"""What a new cluster gets before Argo CD takes over, the same on every cloud."""
