"""AWS resources of a pipeline."""
