"""The AWS resources of a pipeline: settings, lake table, stages, monitoring and packaging."""
