"""Names of pipelines and lake tables, from which names in AWS derive."""

import re
from collections.abc import Iterator, Sequence
from typing import Any

from streaming_etl.components.settings.validation import Problem, invalid, texts

# https://docs.aws.amazon.com/athena/latest/ug/tables-databases-columns-names.html
GLUE_NAME = re.compile(r"[a-z0-9_]{1,240}")
PIPELINE_NAME = re.compile(r"[a-z](-?[a-z0-9])*")
# Longest names derived from a pipeline's, with AWS's limits; Pulumi adds 8 characters.
# https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html
DERIVED_NAMES = {
    "-lake-bucket": 63,
    "-catalog-crawler-role": 64,
    "-watch-crawler-failed": 64,
    "-backfill-states-role": 64,
    "-transform-function": 64,
    "-delivery-stream": 64,
}
PULUMI_SUFFIX = 8
MAX_PIPELINE_NAME = min(
    limit - len(suffix) - PULUMI_SUFFIX for suffix, limit in DERIVED_NAMES.items()
)

MAX_FORMER_NAMES = 10
"""Each of them adds two aliases to each resource."""

GLUE_TEXT = "at most 240 of a-z 0-9 _"


def former_names(kind: str) -> Any:
    """Declare former names, the oldest first; one may be written as text."""
    return texts(
        (),
        MAX_FORMER_NAMES,
        or_text=True,
        pattern=PIPELINE_NAME,
        kind=f"former names of the {kind}, a-z 0-9 and single - between them, a letter first",
        most_bytes=MAX_PIPELINE_NAME,
    )


def as_names(names: Sequence[str]) -> tuple[str, ...]:
    """Return former names that may be written as text."""
    return (names,) if isinstance(names, str) else tuple(names)


def pipeline_name_problems(name: object) -> Iterator[Problem]:
    """Problems of a name from which AWS names cannot be derived."""
    if not isinstance(name, str) or not PIPELINE_NAME.fullmatch(name):
        yield invalid("name", name, "pipeline-name")
    elif len(name) > MAX_PIPELINE_NAME:
        yield invalid("name", name, "pipeline-name-length", most=MAX_PIPELINE_NAME)


def own_name_problems(name: str, former: Sequence[str]) -> Iterator[Problem]:
    """Problem of an own name among the former ones.

    Only the oldest of several may be in use again.
    """
    if name in former[1:] or [name] == [*former]:
        yield invalid("renamed_from", name, "own-name")
