"""From the cloud stacks' outputs to a router that runs."""
