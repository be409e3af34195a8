"""The real Pulumi engine over emulated clouds: what mocks cannot show (order, diffs, replacement, drift, failure)."""
