"""The AWS provider's Python classes of a resource, by the resource's type."""

import importlib
import keyword
from functools import cache
from typing import Any


@cache
def resource_class(token: str) -> Any:
    """The class of a resource, such as aws.s3.Bucket for aws:s3/bucket:Bucket."""
    _, module, name = token.split(":")
    service = module.partition("/")[0]
    package = f"{service}_" if keyword.iskeyword(service) else service
    return getattr(importlib.import_module(f"pulumi_aws.{package}"), name)


@cache
def arguments_class(token: str) -> type:
    """The class of its arguments, such as aws.s3.BucketArgs."""
    # It stands first beside its resource, and is called InitArgs where Args was taken.
    module = importlib.import_module(resource_class(token).__module__)
    found: type = getattr(module, module.__all__[0])
    return found
