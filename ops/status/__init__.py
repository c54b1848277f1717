"""Status of all pipelines of a stack."""
