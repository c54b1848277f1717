"""The AWS resources of a pipeline."""
