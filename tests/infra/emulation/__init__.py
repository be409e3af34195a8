"""Stand-ins for the three clouds and Kubernetes, as Pulumi's providers see them.

What a provider would refuse is refused: unknown and missing properties and wrong types by the installed SDK's own
classes, wrong values by the tables that the stacks' configuration is checked with. One emulation, driven two ways: by
Pulumi's mocks (fast), and as a provider plugin under the real engine.
"""
