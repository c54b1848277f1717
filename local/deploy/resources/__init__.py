"""The resource types of the Pulumi program, by service."""
