"""docs/transforms.md tells what the code does."""

import ast
import csv
import re
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from streaming_etl import PartitionArgs, StreamingEtlPipelineArgs
from streaming_etl.components.table.lake_table import plan_lake_table
from streaming_etl.components.table.transform_module import read_transform_module
from streaming_etl.handlers.rows.text_forms import one_line
from streaming_etl.ops.transform_test import rows_of
from streaming_etl.ops.transform_test.samples import Source, samples_of
from tests.components.pipelines import ROOT
from tests.handlers.fakes import row_encoder
from tests.handlers.test_rows import METADATA
from tools.docs.transforms_page import BLOCKS, PAGE, written

TEXT = PAGE.read_text()
REASONS = [line.split(" | ")[1] for line in BLOCKS["refusals"]().splitlines()[2:]]

# Where a row, or what becomes of it, is refused.
REFUSING = ("rows", "columns", "values", "natural")


def test_its_tables_and_example_are_as_the_code_tells_them() -> None:
    assert written(TEXT) == TEXT, "run `make readme`"


def pattern(text: ast.expr) -> str:
    """What a literal text, or one with values in it, matches."""
    match text:
        case ast.Constant():
            return re.escape(str(text.value))
        case ast.JoinedStr():
            return "".join(map(pattern, text.values))
    return ".+"


def refusals() -> Iterator[str]:
    """A pattern for every reason in the handlers' source."""
    for name in REFUSING:
        for node in ast.walk(ast.parse((ROOT / "handlers" / f"{name}.py").read_text())):
            if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Name):
                continue
            if node.func.id == "RowError":
                yield pattern(node.args[0])
            elif node.func.id == "misfit":
                column, takes = map(pattern, node.args[:2])
                yield f"column {column} takes {takes}, not .+; convert it in transform"
    for node in ast.walk(ast.parse((ROOT / "handlers" / "response.py").read_text())):
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "reason":
            yield pattern(node.value)


PATTERNS = sorted(set(refusals()))


def test_the_reasons_are_found_in_the_source() -> None:
    assert len(PATTERNS) > 20


@pytest.mark.parametrize("reason", PATTERNS)
def test_every_reason_to_refuse_a_change_stands_on_the_page(reason: str) -> None:
    assert any(re.fullmatch(reason, told) for told in REASONS)


def test_the_reasons_of_the_transform_itself_stand_there_too() -> None:
    source = (ROOT / "handlers" / "transform.py").read_text()
    for reason in ("while reading the line: it is no change", "the record's data is not base64"):
        assert reason in source
        assert reason in TEXT
    assert {"TypeError in its rows", "KeyError at transform_module.py:8"} <= {*REASONS}


PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_module_at_the_top_makes_a_row(tmp_path: Path) -> None:
    path = tmp_path / "top.py"
    path.write_text(PYTHON[0])
    order = {"id": "o-1", "store_id": "tokyo", "created": "2026-11-23T09:30:00Z"}
    assert rows_of(path, {**order, "is_test": True}) == []
    lines = [{"sku": "a", "pieces": 2, "price": 5, "note": "x"}]
    [row] = rows_of(path, {**order, "lines": lines})
    assert (str(row["total"]), row["lines"], row["paid"]) == (
        *("5.00", [{"sku": "a", "pieces": 2}], None),
    )


def test_the_tests_on_the_page_pass() -> None:
    for block in PYTHON[1:]:
        names: dict[str, Any] = {}
        exec(compile(block, str(PAGE), "exec"), names)
        for name, test in names.items():
            if name.startswith("test_"):
                test()


def test_the_samples_on_the_page_are_taken() -> None:
    [block] = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert len(samples_of(block.encode(), Source("page", ["id"], "on_remove"))) == 4


@pytest.mark.parametrize(("added", "shifts"), [("last", False), ("first", True)])
def test_a_column_added_to_csv_shifts_older_rows_unless_it_is_the_last(
    added: str, shifts: bool, tmp_path: Path
) -> None:
    before = row_encoder("csv", {"id": "string"}).encode(METADATA, {"id": "o-1"})
    [cells] = csv.reader([one_line(before.data.decode().rstrip("\n"))])
    new = {"total": "int"}
    columns = {"id": "string", **new} if added == "last" else {**new, "id": "string"}
    module = tmp_path / "module.py"
    module.write_text(f"COLUMNS = {columns}\n\n\ndef transform(change):\n    return {{}}\n")
    args = StreamingEtlPipelineArgs(
        table_name="orders", transform_module=str(module), partitions=PartitionArgs(), format="csv"
    )
    table = plan_lake_table(args, read_transform_module(str(module)))
    # Columns that a line does not reach are NULL, as OpenCSVSerDe reads them.
    names = [column.name for column in table.all_columns]
    read = dict(zip_longest(names, cells))
    assert read["_op"] == METADATA.op
    assert (read["id"] != "o-1") == shifts


def sections(page: str) -> set[str]:
    """The anchors of a page's headings."""
    headings = re.findall(r"^#+ (.*)$", page, re.MULTILINE)
    return {heading.lower().replace(" ", "-") for heading in headings}


def test_every_link_on_the_page_leads_somewhere() -> None:
    links = re.findall(r"\]\((?!http)([^)]+)\)", TEXT)
    assert links
    for link in links:
        file, _, section = link.partition("#")
        target = PAGE.parent / file if file else PAGE
        assert target.exists(), link
        assert not section or section in sections(target.read_text()), link
