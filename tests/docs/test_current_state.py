"""The erasure steps of docs/current-state.md, as printed, on the embedded AWS.

The embedded AWS keeps merged rows outside of S3, so snapshots and VACUUM are not covered.
"""

import gzip
import os
import subprocess
import sys
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import duckdb
import pytest

from local.emulator.athena import Row
from local.emulator.crawl import list_objects
from local.emulator.process import Emulator
from local.sample.lake import Lake
from local.sample.merging import merge
from local.sample.writes import Item, to_dynamodb
from streaming_etl.ops.__main__ import main
from tests.docs.pages import ROOT, blocks
from tests.support.deployed import embedded_options
from tests.support.processes import wait_until
from tests.support.stack_folder import deploy_stack

pytestmark = pytest.mark.e2e

Counts = dict[tuple[str | None, str | None], int]
"""Rows by item and event type."""

PAGE = "docs/current-state.md"
WAIT_SECONDS = 60
FORMATS = ("csv", "json", "parquet")
MODULE = """
COLUMNS = {"id": "string", "note": "string", "tags": "array<string>"}

def transform(change):
    item = change.new or change.old
    return {name: item.get(name) for name in COLUMNS}
"""
ERASED = {"pk": "CUSTOMER#o'neill", "sk": "ORDER#1", "id": "o'1", "note": 'says "hello",\nand'}
KEPT = {"pk": "CUSTOMER#o'neill", "sk": "ORDER#2", "id": "o-2", "note": 'o\'1, "bye"\u2028\n'}
PRINTED_KEY = '{"pk":{"S":"CUSTOMER#c-0031"},"sk":{"S":"ORDER#o-0025"}}'


def erasure_blocks(language: str) -> list[str]:
    """Blocks of the section on erasure, in order."""
    lines = (ROOT / PAGE).read_text().splitlines()
    first = lines.index("## Erase an item")
    last = lines.index("## Limits")
    return [
        block.text
        for block in blocks(language)
        if block.page == PAGE and first < block.line <= last
    ]


class Shop:
    """A pipeline with a merged table per format, and the page's commands."""

    def __init__(self, emulator: Emulator, directory: Path) -> None:
        self.emulator, self.directory = emulator, directory
        (directory / "module.py").write_text(MODULE)
        (directory / "scalars.py").write_text(MODULE.replace("array<string>", "string"))
        tables = {
            format_: {
                "transform_module": str(
                    directory / ("scalars.py" if format_ == "csv" else "module.py")
                ),
                "format": format_,
                "partitions": {"granularity": "day"},
                "merge": {"enabled": True},
            }
            for format_ in FORMATS
        }
        shop = {
            "table_name": "erasure",
            "source": {"hash_key": "pk", "range_key": "sk"},
            "lake_tables": tables,
        }
        [self.pipeline] = deploy_stack(emulator, directory, {"erasure": shop}).values()
        self.lakes = {key: Lake(emulator.clients, self.pipeline, key) for key in FORMATS}

    def put(self, item: Item) -> None:
        dynamodb = self.emulator.clients("dynamodb")
        dynamodb.put_item(TableName="erasure", Item=to_dynamodb(item))

    def delete(self, item: Item) -> None:
        key = to_dynamodb({name: item[name] for name in ("pk", "sk")})
        self.emulator.clients("dynamodb").delete_item(TableName="erasure", Key=key)

    def merge(self) -> None:
        for table in self.pipeline.tables.values():
            assert table.merge_state_machine_arn is not None
            merge(self.emulator.clients, table.merge_state_machine_arn)

    def objects(self, format_: str) -> dict[str, bytes]:
        s3, lake = self.emulator.clients("s3"), self.lakes[format_]
        bucket = self.pipeline.bucket
        return {
            key: s3.get_object(Bucket=bucket, Key=key)["Body"].read()
            for key in list_objects(self.emulator.clients, lake.location())
        }

    def rows(self, table: str) -> Counts:
        """Count rows of a table by item and event type."""
        sql = (
            f"""SELECT "id", "_op", count(*) AS "rows" FROM "erasure_dev"."{table}" GROUP BY 1, 2"""
        )
        found = self.lakes["csv"].query(sql).rows
        return {(row["id"], row["_op"]): int(row["rows"] or 0) for row in found}

    def wait_for(self, expected: Counts) -> None:
        """Wait until each change log has these rows."""
        for format_ in FORMATS:
            wait_until(partial(self.has_rows, format_, expected), WAIT_SECONDS)
            assert self.rows(format_) == expected

    def has_rows(self, table: str, expected: Counts) -> bool:
        return self.rows(table) == expected

    def combine_objects(self, format_: str) -> None:
        """Replace the objects of a change log by one with all rows."""
        s3, objects = self.emulator.clients("s3"), self.objects(format_)
        for key in objects:
            s3.delete_object(Bucket=self.pipeline.bucket, Key=key)
        combined = b"".join(objects.values())
        if format_ == "parquet":
            folder = self.directory / "combined"
            folder.mkdir()
            for number, body in enumerate(objects.values()):
                (folder / f"{number}.parquet").write_bytes(body)
            target = folder / "all"
            duckdb.read_parquet(f"{folder}/*.parquet").write_parquet(str(target))
            combined = target.read_bytes()
        s3.put_object(Bucket=self.pipeline.bucket, Key=min(objects), Body=combined)

    def run_script(self, keys: list[str], paths: list[str]) -> str:
        [script] = erasure_blocks("python")
        for name, lines in (("keys.txt", keys), ("paths.txt", paths)):
            (self.directory / name).write_text("".join(f"{line}\n" for line in lines))
        (self.directory / "erase_rows.py").write_text(script)
        return subprocess.run(
            [sys.executable, "erase_rows.py", "keys.txt", "paths.txt"],
            cwd=self.directory,
            env={
                "PATH": os.environ["PATH"],
                "AWS_ENDPOINT_URL": self.emulator.endpoint,
                "AWS_ACCESS_KEY_ID": "local-only",
                "AWS_SECRET_ACCESS_KEY": "local-only",
                "AWS_DEFAULT_REGION": self.emulator.region,
            },
            check=True,
            capture_output=True,
            text=True,
        ).stdout


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    with Emulator("ap-northeast-1") as emulator:
        yield Shop(emulator, tmp_path_factory.mktemp("stack"))


def test_the_printed_steps_erase_an_item_from_log_and_merged_table(
    shop: Shop, capsys: pytest.CaptureFixture[str]
) -> None:
    shop.put(ERASED)
    shop.put(KEPT)
    options = embedded_options(shop.directory / "outputs.json", shop.emulator.endpoint)
    checkpoint = str(shop.directory / "checkpoint.json")
    assert main(["backfill", "erasure", *options, "--checkpoint", checkpoint, "--json"]) == 0
    capsys.readouterr()
    first: Counts = {
        ("o'1", "SNAPSHOT"): 1,
        ("o'1", "INSERT"): 1,
        ("o-2", "SNAPSHOT"): 1,
        ("o-2", "INSERT"): 1,
        (None, "BACKFILL"): 1,
    }
    shop.wait_for(first)
    for format_ in FORMATS:
        shop.combine_objects(format_)
    # Objects without another item's rows.
    shop.put({**ERASED, "note": "says more"})
    shop.delete(ERASED)
    logged = {**first, ("o'1", "MODIFY"): 1, ("o'1", "REMOVE"): 1}
    shop.wait_for(logged)
    shop.merge()
    before = {format_: shop.lakes[format_].current_state().rows for format_ in FORMATS}

    for format_ in FORMATS:
        erase(shop, format_)

    left = {one: count for one, count in logged.items() if one[0] != "o'1"}
    for format_ in FORMATS:
        assert shop.rows(format_) == left
        assert not any(b"says" in content(body) for body in shop.objects(format_).values())
        assert shop.rows(f"{format_}_merged") == {("o-2", "INSERT"): 1, (None, "BACKFILL"): 1}
        assert shop.lakes[format_].current_state().rows == before[format_]
        assert [row["id"] for row in before[format_]] == ["o-2"]
    # A later run inserts nothing again.
    shop.merge()
    for format_ in FORMATS:
        assert shop.rows(f"{format_}_merged") == {("o-2", "INSERT"): 1, (None, "BACKFILL"): 1}


def content(body: bytes) -> bytes:
    """An object as text, if it is one."""
    return gzip.decompress(body) if body.startswith(b"\x1f\x8b") else body


def erase(shop: Shop, format_: str) -> None:
    """Run the printed statements and the script on one lake table."""
    find_key, find_objects, delete, optimize, vacuum, check = erasure_blocks("sql")
    lake = shop.lakes[format_]

    def run(text: str, key: str = "") -> list[Row]:
        text = text.replace(PRINTED_KEY, key.replace("'", "''"))
        text = text.replace("shop_dev.orders", f"erasure_dev.{format_}")
        return lake.query(text.replace("o-0025", "o''1")).rows

    [row] = run(find_key)
    key = row["_key"] or ""
    before = shop.objects(format_)
    assert len(before) > 1
    paths = [row["$path"] or "" for row in run(find_objects, key)]
    assert shop.run_script([key], paths) == f"{len(paths)} objects rewritten or deleted\n"
    assert len(shop.objects(format_)) == 1
    changed = before.items() - shop.objects(format_).items()
    assert sorted(f"s3://{shop.pipeline.bucket}/{name}" for name, _ in changed) == sorted(paths)
    for statement in (delete, optimize, vacuum):
        run(statement, key)
    assert run(check, key) == [{"rows": "0"}]
