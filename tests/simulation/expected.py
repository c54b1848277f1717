"""Expected outcome of each change."""

from base64 import b64encode
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from itertools import product
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from streaming_etl.components.table.queries import MARKER_PARTITION
from tests.simulation.lake import Row, shortened
from tests.simulation.names import servable
from tests.simulation.scenario import Scenario
from tests.simulation.table import UNREADABLE, Change, Item
from tests.simulation.user_module import FAILING, store_of

COLUMNS = ("id", "number", "price", "note", "seen", "before", "ttl")
METADATA_NAMES = (
    "_op",
    "_key",
    "_row",
    "_event_id",
    "_stream_epoch",
    "_sequence_number",
    "_changed_at",
)
FILTERED = {"filter", "return nothing"}
TIME_FORMATS = {"year": "%Y", "month": "%m", "day": "%d", "hour": "%H", "dt": "%Y-%m-%d"}

# Wider rows do not fit into a response as base64.
TOO_WIDE = 4_500_000


@dataclass(frozen=True)
class Outcome:
    """Rows of a change, or its failure."""

    rows: list[Row]
    """The rows in the lake if the change is in the lake."""
    fails: bool
    """Whether the change fails, so that no row may reach the lake."""

    @property
    def filtered(self) -> bool:
        return not self.rows and not self.fails


class Code(NamedTuple):
    """What is deployed when a change passes both functions."""

    old_image: str
    """The forwarder's setting."""
    has_label: bool
    """Whether the forwarder sends the stream's label."""
    has_extra: bool
    """Whether rows have the column that is added to COLUMNS."""
    is_fixed: bool
    """Whether the user's module ignores the scripts that fail."""


def codes_of(change: Change, scenario: Scenario, is_fixed: bool) -> list[Code]:
    """Return what may have been deployed when the change passed."""
    old_images, labels, deploy = {scenario.args.forwarder.old_image}, {True}, scenario.deploy
    if deploy is None:
        return [Code(*old_images, True, False, is_fixed)]
    extras = {True}
    if change.at < deploy.forwarder_at:
        old_images.add(deploy.forwarder.old_image)
    # A replay keeps the label of a row, or its lack of one, when it sends the present item.
    if change.at < deploy.labels_at and change.shard:
        labels.add(deploy.has_label)
    if change.at < deploy.transform_at:
        extras.add(False)
    return [Code(*it, is_fixed) for it in product(sorted(old_images), labels, extras)]


def old_image(change: Change, setting: str) -> Item | None:
    """Return the old image if the forwarder sends it."""
    sent = setting == "always" or (setting == "on_remove" and change.kind == "REMOVE")
    return change.old if sent else None


def marker_outcome(marker: Change, scenario: Scenario, code: Code) -> Outcome:
    """Return the row of a completed backfill, which has metadata only."""
    names = (*COLUMNS, *(("extra",) if code.has_extra else ()))
    row = dict.fromkeys(names) if scenario.table.format == "csv" else {}
    folder = folder_of(marker, {}, scenario)
    if "store" in folder:
        allowed = scenario.args.partitions.dynamic_partition_keys["store"]
        folder["store"] = allowed[0] if allowed else MARKER_PARTITION
    values = row_values(row, scenario) | metadata(marker, 0, scenario, code)
    return Outcome([Row(values, folder)], fails=False)


def outcome_of(change: Change, scenario: Scenario, code: Code) -> Outcome:
    """Return the outcome that the handlers must have."""
    if change.kind == "BACKFILL":
        return marker_outcome(change, scenario, code)
    old = old_image(change, code.old_image)
    image = change.new or old or {}
    do = image.get("do")
    unreadable = any(item and item["number"] is UNREADABLE for item in (change.new, old))
    if code.is_fixed and do in FAILING:
        do = None
    if unreadable or do in FAILING or image.get("width", 0) > TOO_WIDE:
        return Outcome([], fails=True)
    if do in FILTERED:
        return Outcome([], fails=False)
    row: Item = {name: image.get(name) for name in COLUMNS}
    row["id"] = change.keys["id"]
    row["before"] = old["number"] if old and change.new else None
    row["ttl"] = change.by_ttl if change.kind == "REMOVE" else None
    row["labels"] = image.get("labels")
    if code.has_extra:
        row["extra"] = image.get("number")
    if do == "return the item":
        row = {name: value for name, value in image.items() if name != "do"} | row
    if do == "widen":
        row["note"] += "x" * image["width"]
    rows = [row]
    if do == "return three rows":
        rows = [row | {"number": row["number"] + more} for more in range(3)]
    folder = folder_of(change, image, scenario)
    for row in rows:
        for name in folder:
            row.pop(name, None)
    if scenario.table.columns is None:
        reserved = {*METADATA_NAMES, *scenario.table.partition_keys}
        served = [servable(row, reserved) for row in rows]
        if None in served:
            return Outcome([], fails=True)
        rows = [row for row in served if row is not None]
    values = [
        row_values(row, scenario) | metadata(change, index, scenario, code)
        for index, row in enumerate(rows)
    ]
    return Outcome([Row(value, folder) for value in values], fails=False)


def folder_of(change: Change, image: Item, scenario: Scenario) -> dict[str, str]:
    """Return the partition values that depend on the change."""
    partitions = scenario.args.partitions
    folder = {}
    if partitions.dynamic_partition_keys:
        folder["store"] = image.get("store") or store_of(change.keys.get("id", ""))
    if partitions.partition_time == "event":
        at = datetime.fromtimestamp(change.at, ZoneInfo(partitions.time_zone))
        folder |= {key: f"{at:{TIME_FORMATS[key]}}" for key in partitions.time_keys}
    return folder


def row_values(row: Item, scenario: Scenario) -> dict[str, Any]:
    """Return the user's columns in the lake's format."""
    if scenario.table.format == "csv":
        return {name: csv_value(name, row[name]) for name in (*COLUMNS, "extra") if name in row}
    typed = scenario.table.columns is not None
    return {
        name: json_value(name, value, typed) for name, value in row.items() if value is not None
    }


def csv_value(name: str, value: Any) -> str:
    """Return the text in CSV: U+2028 for line breaks, U+FFFD for U+0001."""
    match value:
        case None:
            return ""
        case bool():
            return str(value).lower()
        case Decimal():
            return f"{value:.2f}"
        case str() if name == "seen":
            return value.replace("T", " ")
        case str():
            for line_end in ("\r\n", "\r", "\n"):
                value = value.replace(line_end, "\u2028")
            return str(shortened(value.replace("\x01", "\ufffd")))
    return str(value)


def json_value(name: str, value: Any, typed: bool) -> Any:
    if isinstance(value, bytes):
        return shortened(b64encode(value).decode())
    if typed and name == "seen":
        return value.replace("T", " ")
    return shortened(value)


def metadata(change: Change, index: int, scenario: Scenario, code: Code) -> dict[str, Any]:
    return {
        "_op": change.kind,
        "_key": change.key,
        "_row": str(index) if scenario.table.format == "csv" else index,
        "_event_id": change.event_id,
        "_stream_epoch": change.epoch if code.has_label else "",
        "_sequence_number": change.sequence_number,
        "_changed_at": f"{datetime.fromtimestamp(change.at, UTC):%Y-%m-%d %H:%M:%S}",
    }
