"""A stack's resource graph, told without an account: the program runs under Pulumi's mocks."""
