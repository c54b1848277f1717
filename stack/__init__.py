"""A stack's config and outputs, and the basics of all commands."""
