"""Names of a resource's inputs, from the classes of the AWS provider."""

from pulumi import _types

from streaming_etl.stack.provider_classes import arguments_class


def input_names(resource_type: str) -> set[str]:
    """Return the inputs of a resource type, such as `aws:s3/bucket:Bucket`."""
    return set(_types.input_type_types(arguments_class(resource_type)))
