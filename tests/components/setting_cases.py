"""The form in which a case tells what a setting changes in the graph, and nothing else.

The paths are those of differences.changes; what is not named stays as the minimal pipeline has it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tests.components.differences import GONE
from tests.components.pipelines import TYPED, Tables


@dataclass(frozen=True, kw_only=True)
class Case:
    """`given` beside the three settings that must be given; `changes` to the minimal pipeline."""

    setting: str
    given: dict[str, Any] = field(default_factory=dict)
    changes: dict[str, Any] = field(default_factory=dict)
    renames: Sequence[tuple[str, str]] = ()
    """Names that are replaced wherever they stand; `changes` tells what differs after that."""
    module: str = TYPED
    module_name: str = "shop.py"
    tables: Tables | None = None
    note: str = ""


S3 = "shop-delivery-stream.extendedS3Configuration"
SETTINGS = "shop-transform-function.code.transform.json"
PARAMETERS = "shop-catalog-table.parameters"
STORAGE = "shop-catalog-table.storageDescriptor"
# What a Glue permission on the table must name.
GLUE = "arn:aws:glue:ap-northeast-1:123456789012"
ENTRY = (f"{GLUE}:catalog", f"{GLUE}:database/shop_test", f"{GLUE}:table/shop_test/orders")

TIME_PROJECTION = {
    f"{PARAMETERS}.projection.{option}": GONE
    for option in (
        *("year.type", "year.format", "year.range", "year.interval", "year.interval.unit"),
        *("month.type", "month.range", "month.digits", "day.type", "day.range", "day.digits"),
    )
}
NO_PROJECTION = {
    **TIME_PROJECTION,
    f"{PARAMETERS}.projection.enabled": GONE,
    f"{PARAMETERS}.storage.location.template": GONE,
}
