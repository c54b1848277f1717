"""`rows_of` takes a change through the code that the Lambda runs, and tells its rows as Athena."""

from base64 import b64encode
from datetime import UTC, date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from streaming_etl.handlers.wire.change_line import change_line
from streaming_etl.ops.transform_test import RefusedError, rows_of
from streaming_etl.ops.transform_test.runner import Trial, folder
from streaming_etl.ops.transform_test.sample_records import stream_record
from streaming_etl.ops.transform_test.samples import Source, samples_of
from streaming_etl.ops.transform_test.selection import asked_for
from tests.components.pipelines import ROOT, dev_stack
from tests.components.test_archives import rows as rows_in
from tests.components.test_archives import run
from tests.ops.modules import Modules

ITEM = {"id": "a"}


@pytest.mark.parametrize("name", ["orders", "shipments"])
def test_the_rows_and_folders_are_those_of_the_archive_that_is_deployed(
    name: str, tmp_path: Path
) -> None:
    source = Source("samples", ["id"], "on_remove")
    body = (ROOT / "transforms" / f"{name}.changes.json").read_bytes()
    lines = samples_of(body, source)
    trial = Trial(asked_for(name, "dev"))
    tried = [trial.run(line) for line in lines]

    encoded = [b64encode(line).decode() for line in lines]
    answers, _ = run(dev_stack()[f"{name}-transform-function"], tmp_path, *encoded)

    assert ["".join(f"{line}\n" for line in each.lines) for each in tried] == [
        rows_in(answer) for answer in answers
    ]
    assert [each.partition for each in tried] == [
        answer.get("metadata", {}).get("partitionKeys", {}) for answer in answers
    ]
    assert all(each.lines for each in tried)


TYPES = {
    "text": "string",
    "flag": "boolean",
    "small": "tinyint",
    "whole": "bigint",
    "price": "decimal(10,2)",
    "real": "double",
    "on": "date",
    "at": "timestamp",
}
NESTED = {
    "list": "array<decimal(5,1)>",
    "map": "map<string,date>",
    "nest": "struct<known:string,at:timestamp>",
}
RETURNED = {
    "text": 'a,b"c',
    "flag": False,
    "small": 7,
    "whole": 2**62,
    "price": Decimal("9.5"),
    "real": Decimal("0.5"),
    "on": date(2026, 11, 23),
    "at": datetime(2026, 11, 23, 9, 30),
    "list": [Decimal("1.5"), None],
    "map": {"a": date(2026, 11, 23)},
    "nest": {"known": "x"},
}


def typed(columns: dict[str, str]) -> str:
    names = set(columns)
    returned = {name: value for name, value in RETURNED.items() if name in names}
    return (
        "import datetime\nfrom decimal import Decimal\n\n"
        f"COLUMNS = {columns!r}\n\n\ndef transform(change):\n    return {returned!r}\n"
    )


def test_values_come_back_as_athena_types_them(modules: Modules) -> None:
    [row] = rows_of(modules.write(typed({**TYPES, **NESTED})), ITEM)
    assert row == {**RETURNED, "real": 0.5, "nest": {"known": "x", "at": None}}
    kinds = [str, bool, int, int, Decimal, float, date, datetime, list, dict, dict]
    assert [type(value) for value in row.values()] == kinds


def test_of_csv_too_and_an_empty_text_is_null_as_in_the_view(modules: Modules) -> None:
    modules.stack(format="csv")
    modules.write(typed(TYPES))
    [row] = rows_of("shop", ITEM)
    assert row == {name: RETURNED[name] for name in TYPES} | {"real": 0.5}
    modules.stack(format="csv", transform_module="empty.py")
    text = 'COLUMNS = {"text": "string", "n": "int"}\n\n\ndef transform(change):\n    return '
    assert rows_of(modules.write(text + '{"text": ""}\n', "empty.py"), ITEM) == [
        {"text": None, "n": None}
    ]


def test_a_long_text_comes_back_from_csv_whole(modules: Modules) -> None:
    modules.stack(format="csv")
    text = 'COLUMNS = {"text": "string"}\n\n\ndef transform(change):\n    return '
    modules.write(text + '{"text": change.new["text"]}\n')
    assert rows_of("shop", {"id": "a", "text": 'x,"\n' * 70_000}) == [
        {"text": 'x,"\u2028' * 70_000}
    ]


def test_without_columns_a_row_is_what_its_json_holds(modules: Modules) -> None:
    exact = Decimal("0.10000000000000000001")
    item = {"id": "a", "n": exact, "raw": b"\x00", "deep": {"s": {2, 1}}}
    row = {"id": "a", "n": exact, "raw": "AA==", "deep": {"s": [1, 2]}}
    assert rows_of(modules.write(), item) == [row]


def test_metadata_come_with_the_row_when_asked_for(modules: Modules) -> None:
    path = modules.write("def transform(change):\n    return [{}, {}]\n")
    at = datetime(2026, 11, 23, 18, 30, tzinfo=timezone(timedelta(hours=9)))
    rows = rows_of(path, ITEM, metadata=True, changed_at=at)
    assert rows == [
        {
            "_op": "INSERT",
            "_key": '{"id":{"S":"a"}}',
            "_row": row,
            "_event_id": "sample-1",
            "_sequence_number": "100000000000000000000001",
            "_changed_at": datetime(2026, 11, 23, 9, 30),
        }
        for row in (0, 1)
    ]
    assert rows_of(path, ITEM) == [{}, {}]


def test_a_column_of_the_users_own_may_begin_like_the_metadata(modules: Modules) -> None:
    columns = 'COLUMNS = {"_own": "int"}\n\n\n'
    path = modules.write(columns + "def transform(change):\n    return {'_own': 1}\n")
    assert rows_of(path, ITEM) == [{"_own": 1}]


ECHO = """
def transform(change):
    return {
        "kind": change.kind, "keys": change.keys, "new": change.new, "old": change.old,
        "at": change.changed_at, "ttl": change.is_ttl_delete, "number": change.sequence_number,
    }
"""


def echoed(path: str, *args: Any, **options: Any) -> dict[str, Any]:
    """What the transform was told, without what is as ever."""
    [row] = rows_of(path, *args, **options)
    usual = {"at": "2026-11-23 09:30:00", "ttl": False, "number": "100000000000000000000001"}
    return {name: value for name, value in row.items() if usual.get(name) != value}


def test_the_kind_follows_from_the_images_and_old_ones_stay_away_as_by_default(
    modules: Modules,
) -> None:
    path = modules.write(ECHO)
    item, keys = {"id": "a", "n": 1}, {"id": "a"}
    assert echoed(path, item) == {"kind": "INSERT", "keys": keys, "new": item}
    assert echoed(path, item, ITEM) == {"kind": "MODIFY", "keys": keys, "new": item}
    assert echoed(path, old=item) == {"kind": "REMOVE", "keys": keys, "old": item}
    assert echoed(path, keys=keys, kind="REMOVE") == {"kind": "REMOVE", "keys": keys}
    assert echoed(path, old=item, is_ttl_delete=True) == {
        **{"kind": "REMOVE", "keys": keys, "old": item, "ttl": True}
    }
    assert echoed(path, item, keys={"n": 1}) == {"kind": "INSERT", "keys": {"n": 1}, "new": item}
    # The time in milliseconds, as a backfill gives it.
    assert echoed(path, item, kind="SNAPSHOT") == {
        **{"kind": "SNAPSHOT", "keys": keys, "new": item, "number": "1795426200000"}
    }


def test_the_settings_of_the_pipeline_count(modules: Modules) -> None:
    modules.stack(
        catalog="crawler",
        source={"hash_key": "shop", "range_key": "n", "range_key_type": "N"},
        forwarder={"old_image": "always", "event_names": ["INSERT", "MODIFY"]},
    )
    path = modules.write(ECHO)
    item = {"shop": "a", "n": 1}
    changed = rows_of(path, {**item, "x": 1}, item)
    assert [(row["keys"], row["old"]) for row in changed] == [(item, item)]
    assert rows_of("shop", old=item) == []


def test_a_change_has_the_folders_of_the_lake(modules: Modules) -> None:
    partitions = {
        "dynamic_partition_keys": {"store": []},
        "partition_time": "event",
        "time_zone": "Asia/Tokyo",
        "layout": "date",
        "granularity": "hour",
    }
    modules.stack(catalog="crawler", partitions=partitions)
    modules.write("def transform(change):\n    return {'store': 7, 'x': 1}\n")
    trial = Trial(asked_for("shop", None))
    late = datetime(2026, 11, 23, 20, tzinfo=UTC)
    tried = trial.run(change_line(stream_record(1, ["id"], new=ITEM, changed_at=late)))
    assert folder(trial.table, tried.partition) == "store=7/dt=2026-11-24/hour=05/"
    assert rows_of("shop", ITEM) == [{"x": 1, "store": "7"}]


def test_a_refused_change_tells_the_logs_reason_and_what_was_raised(modules: Modules) -> None:
    path = modules.write("def transform(change):\n    return {'n': change.new['gone']}\n")
    with pytest.raises(RefusedError, match=r"^KeyError at shop\.py:2$") as refused:
        rows_of(path, ITEM)
    assert repr(refused.value.__cause__) == "KeyError('gone')"
    path = modules.write("def transform(change):\n    return 'x'\n", "text.py")
    with pytest.raises(RefusedError) as refused:
        rows_of(path, ITEM)
    assert str(refused.value) == "transform returned str; return a dict, a list of dicts or None"
    assert refused.value.__cause__ is None
