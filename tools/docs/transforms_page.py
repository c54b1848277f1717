"""What docs/transforms.md tells from the code: `python -m tools.docs.transforms_page` writes it anew."""

import inspect
import json
import re
import tempfile
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

from click.testing import CliRunner

from streaming_etl.components.table.column_types import (
    METADATA,
    athena_type,
    glue_type,
    is_nested,
    parse_type,
)
from streaming_etl.handlers.change.change import Change
from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.__main__ import commands
from streaming_etl.ops.transform_test.row_parser import typed
from streaming_etl.ops.transform_test.runner import Trial
from streaming_etl.ops.transform_test.sample_records import stream_record
from streaming_etl.ops.transform_test.selection import asked_for
from tests.components.pipelines import ROOT
from tests.handlers.test_columns import cell
from tools.docs.marked_blocks import replace_blocks
from tools.docs.settings_tables import field_docs, table
from tools.docs.transform_cases import METADATA_MEANS, REFUSALS, TYPES, VALUES, Refusal

PAGE = ROOT / "docs" / "transforms.md"
EXAMPLE = ["transform-test", "transforms/shipments.py"]
NAMES: dict[str, Any] = {
    **{"Decimal": Decimal, "UTC": UTC, "date": date, "datetime": datetime},
    **{"timedelta": timedelta, "timezone": timezone},
}
HEAD = """\
from datetime import UTC, datetime, timedelta
from decimal import Decimal

"""


def code(text: str) -> str:
    """The text as code in a cell of a table."""
    shown = text.replace("|", "\\|").replace("\u2028", "⏎")
    return f"`` {shown} ``" if "`" in shown else f"`{shown}`"


def example() -> str:
    result = CliRunner().invoke(commands, EXAMPLE, catch_exceptions=False)
    first, *_ = result.stdout.split("\n\n")
    return "\n".join(["```text", *(line.rstrip() for line in first.splitlines()), "```"])


def change() -> str:
    """Every attribute of `change` with its docstring."""
    docs = field_docs(Change)
    for name, member in vars(Change).items():
        if isinstance(member, property):
            docs[name] = " ".join(inspect.getdoc(member).split())  # type: ignore[union-attr]
    order = ["kind", "new", "old", "keys", "changed_at", "is_ttl_delete"]
    rows = [[f"`{name}`", docs[name]] for name in [*order, *sorted(docs.keys() - {*order})]]
    return table(["attribute", "what it is"], rows)


def metadata() -> str:
    rows = [
        [f"`{column.name}`", f"`{glue_type(column.type)}`", METADATA_MEANS[column.name]]
        for column in METADATA
    ]
    return table(["column", "type", "what it tells"], rows)


def types() -> str:
    """Each type with what it takes, by its own refusal of something else."""
    rows = []
    for text in TYPES:
        kind = parse_type(text)
        taken = re.search(r" takes (.*), not object", refused_value(kind))
        assert taken is not None
        rows.append([f"`{text}`", f"`{athena_type(kind)}`", taken[1]])
    return table(["in COLUMNS", "in SQL", "takes"], rows)


def refused_value(kind: Any) -> str:
    try:
        return cell("json", kind, object())
    except Exception as error:
        return str(error)


def values() -> str:
    """Each value as it lies in the lake, and as it comes back."""
    rows = []
    for case in VALUES:
        kind, value = parse_type(case.type), eval(case.returned, NAMES)
        in_json = cell("json", kind, value)
        in_csv = "no column of CSV" if is_nested(kind) else code(cell("csv", kind, value))
        back = typed(kind, json.loads(in_json, parse_float=Decimal))
        shown = (
            repr(back).replace("datetime.datetime(", "datetime(").replace("datetime.date", "date")
        )
        rows.append([f"`{case.type}`", code(case.returned), code(in_json), in_csv, code(shown)])
    return table(["type", "returned", "JSON, and on the way to Parquet", "CSV", "read"], rows)


def refusals() -> str:
    rows = [[code(case.does), refusal(case), case.means] for case in REFUSALS]
    return table(["the module's line", "the reason in the log", "what it means"], rows)


def refusal(case: Refusal) -> str:
    """The reason that the log tells when a module with this last line has run."""
    columns = "" if case.columns is None else f"COLUMNS = {case.columns}\n\n\n"
    keys = {"partitions": {"dynamic_partition_keys": {"store": ["tokyo", "osaka"]}}}
    with tempfile.TemporaryDirectory() as folder:
        # By its name in the archive, as the log has it.
        file = Path(folder, "transform_module.py")
        file.write_text(f"{HEAD}{columns}def transform(change):\n    {case.does}\n")
        trial = Trial(asked_for(str(file), None, keys if case.dynamic_partition_keys else None))
        reason = trial.run(change_line(stream_record(1, ["id"], new={"id": "o-1"}))).reason
    assert reason is not None, f"{case.does} is not refused"
    return reason


BLOCKS = {
    "example": example,
    "change": change,
    "metadata": metadata,
    "types": types,
    "values": values,
    "refusals": refusals,
}


def written(page: str) -> str:
    """The page with every block between its marks told anew."""
    return replace_blocks(page, BLOCKS)


if __name__ == "__main__":
    PAGE.write_text(written(PAGE.read_text()))
