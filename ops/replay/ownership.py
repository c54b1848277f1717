"""The pipeline of a failure object in a shared bucket."""

import re
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
        own = STREAM_NAME.fullmatch(self.delivery_stream)
        return None if name is None or own is None else name[1] == own[1]
