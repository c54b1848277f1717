"""The resource graph of a stack as text, recorded under Pulumi's mocks without an account."""
