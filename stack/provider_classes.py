"""Python classes of the AWS provider by resource type."""

import importlib
import keyword
from functools import cache
from typing import Any


@cache
def resource_class(token: str) -> Any:
    """Return the class of a resource, such as aws.s3.Bucket for aws:s3/bucket:Bucket."""
    _, module, name = token.split(":")
    service = module.partition("/")[0]
    package = f"{service}_" if keyword.iskeyword(service) else service
    return getattr(importlib.import_module(f"pulumi_aws.{package}"), name)


@cache
def arguments_class(token: str) -> type:
    """Return the class of a resource's arguments, such as aws.s3.BucketArgs."""
    # The first name in the resource's module; InitArgs where Args was taken.
    module = importlib.import_module(resource_class(token).__module__)
    arguments: type = getattr(module, module.__all__[0])
    return arguments
