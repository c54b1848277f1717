"""The pipeline of a failure object in a shared bucket."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from typing import Any, Optional

STREAM_ARN = re.compile(r"(arn:[^:]+:dynamodb:[^:]+:\d+:table/[^/]+)/stream/.+")
FUNCTION_ARN = re.compile(r"arn:[^:]+:lambda:([^:]+):(\d+):function:([^:]+)(?::.+)?")
# The names that Pulumi derives from the pipeline's, before its random suffix. A program may
# configure others, which identify no pipeline.
FUNCTION_NAME = re.compile(r"(.+)-(?:forwarder|transform)-function-[0-9a-f]{7}")
STREAM_NAME = re.compile(r"(.+)-delivery-stream-[0-9a-f]{7}")
# https://docs.aws.amazon.com/firehose/latest/dev/s3-object-name.html
OBJECT_NAME = re.compile(r"(?:.*/)?([^/]+-delivery-stream-[0-9a-f]{7})-[^/]*")


@dataclass(frozen=True)
class PipelineIdentity:
    """What identifies a pipeline in its failure objects.

    Each method returns None for a value that identifies no pipeline.
    """

    table_arn: str
    delivery_stream: str
    """A delivery stream of the pipeline. If the program configures its name, no name of a function
    or a delivery stream identifies a pipeline."""
    own_names: Optional[Collection[str]] = None
    """The names with which those of its functions and delivery streams begin; by default the one of
    `delivery_stream`."""

    def owns_stream(self, arn: Any) -> Optional[bool]:
        """Report whether it is a stream of the table, present or earlier."""
        match = STREAM_ARN.fullmatch(arn) if isinstance(arn, str) else None
        return None if match is None else match[1] == self.table_arn

    def owns_function(self, arn: Any) -> Optional[bool]:
        """Report whether a function is, or was, the pipeline's forwarder or transform."""
        match = FUNCTION_ARN.fullmatch(arn) if isinstance(arn, str) else None
        if match is None:
            return None
        if [match[1], match[2]] != self.table_arn.split(":")[3:5]:
            return False
        return self._same_pipeline(FUNCTION_NAME.fullmatch(match[3]))

    def owns_object(self, key: str) -> Optional[bool]:
        """Report whether an object's name has a delivery stream of the pipeline."""
        match = OBJECT_NAME.fullmatch(key)
        return None if match is None else self._same_pipeline(STREAM_NAME.fullmatch(match[1]))

    def _same_pipeline(self, name: Optional["re.Match[str]"]) -> Optional[bool]:
        own = own_name(self.delivery_stream)
        if name is None or own is None:
            return None
        return name[1] in ((own,) if self.own_names is None else self.own_names)


def own_name(delivery_stream: str) -> Optional[str]:
    """Return the name from which Pulumi derived a delivery stream's, if any."""
    match = STREAM_NAME.fullmatch(delivery_stream)
    return match and match[1]
