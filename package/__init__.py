"""Pulumi package of the pipeline, for programs in any Pulumi language."""
