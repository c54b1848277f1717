"""The pipeline as a Pulumi package, for programs in any language that Pulumi speaks."""
