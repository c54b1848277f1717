"""Code and statements of docs/transforms.md."""

import csv
import inspect
import re
from itertools import zip_longest
from pathlib import Path
from typing import Any

import pytest

from streaming_etl import PartitionArgs, StreamingEtlPipelineArgs, rows_of
from streaming_etl.components.table.transform_module import read_transform_module
from streaming_etl.ops.transform_test.sample_formats import SampleSource, samples_of
from tests.support.pipeline_settings import plan
from tools.docs.transforms_page import PAGE, run

TEXT = PAGE.read_text()
PYTHON = re.findall(r"```python\n(.*?)```", TEXT, re.DOTALL)


def test_the_first_module_makes_rows(tmp_path: Path) -> None:
    path = tmp_path / "first.py"
    path.write_text(PYTHON[0])
    order = {"id": "o-1", "store_id": "tokyo", "created": "2026-11-23T09:30:00Z"}
    assert rows_of(path, {**order, "is_test": True}) == []
    lines = [{"sku": "a", "pieces": 2, "price": 5, "note": "x"}]
    [row] = rows_of(path, {**order, "lines": lines})
    assert str(row["total"]) == "5.00"
    assert (row["lines"], row["paid"]) == ([{"sku": "a", "pieces": 2}], None)


def test_the_tests_pass(monkeypatch: pytest.MonkeyPatch) -> None:
    for block in PYTHON[1:]:
        names: dict[str, Any] = {}
        exec(compile(block, str(PAGE), "exec"), names)
        for name, test in names.items():
            if name.startswith("test_"):
                # The only fixture of pytest that the page uses.
                test(**dict.fromkeys(inspect.signature(test).parameters, monkeypatch))


def test_the_samples_are_accepted() -> None:
    block, *_ = re.findall(r"```json\n(.*?)```", TEXT, re.DOTALL)
    assert len(samples_of(block.encode(), SampleSource("page", ["id"], "on_remove"))) == 4


@pytest.mark.parametrize(("position", "shifts"), [("last", False), ("first", True)])
def test_a_new_csv_column_shifts_older_rows_unless_it_is_the_last(
    position: str, shifts: bool, tmp_path: Path
) -> None:
    [line] = run("return {'id': 'o-1'}", "{'id': 'string'}", format="csv").lines
    [cells] = csv.reader([line])
    new = {"total": "int"}
    columns = {"id": "string", **new} if position == "last" else {**new, "id": "string"}
    module = tmp_path / "module.py"
    module.write_text(f"COLUMNS = {columns}\n\n\ndef transform(change):\n    return {{}}\n")
    args = StreamingEtlPipelineArgs(
        table_name="orders", transform_module=str(module), partitions=PartitionArgs(), format="csv"
    )
    table = plan(args, read_transform_module(str(module)))
    # OpenCSVSerDe returns NULL for columns that a line lacks.
    names = [column.name for column in table.all_columns]
    row = dict(zip_longest(names, cells))
    assert row["_op"] == "INSERT"
    assert (row["id"] != "o-1") == shifts
