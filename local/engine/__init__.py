"""A stand-in AWS provider for the real Pulumi engine."""
