"""AKS and what it needs, all in one resource group."""
