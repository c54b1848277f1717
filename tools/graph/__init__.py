"""The resource graph of a stack as text, without an account."""
