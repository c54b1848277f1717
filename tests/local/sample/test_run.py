"""Changes that each lake table must have, and what became of them."""

from collections.abc import Mapping
from typing import Any
from unittest.mock import Mock

import pytest

from local.sample import run
from local.sample.lake import Lake, lakes_of
from local.sample.report import MovedChange
from local.sample.run import crawl_all, event_type, moved_changes, runs_of
from local.sample.writes import Sample, SampleTable, samples
from streaming_etl.handlers.wire.routing import Where, routed
from streaming_etl.stack.outputs import DeployedPipeline
from tests.local.sample.test_report import TABLE
from tests.support.deployed import deployed_pipeline

LEADS, CUSTOMERS = {"type": ["lead"]}, {"type": ["customer", "company"]}


def shop() -> DeployedPipeline:
    """A pipeline with two lake tables, one of which has a crawler."""
    common = {"delivery_stream": "stream", "errors_location": "s3://lake/errors/"}
    return deployed_pipeline(
        settings={"lake_tables": {"leads": {"where": LEADS}, "customers": {"where": CUSTOMERS}}},
        lake_tables={
            "leads": {"table": "leads", "crawler": "leads-crawler", **common},
            "customers": {"table": "customers", **common},
        },
    )


def change(
    id_: str, old: str | None = None, new: str | None = None, pk: str = "c-1"
) -> dict[str, Any]:
    """A record of an item whose `type` changes from `old` to `new`."""
    kind = "INSERT" if old is None else "REMOVE" if new is None else "MODIFY"
    images = {"OldImage": old, "NewImage": new}
    key = {"pk": {"S": pk}, "sk": {"S": "PROFILE"}}
    return {
        "eventID": id_,
        "eventName": kind,
        "dynamodb": {
            "Keys": key,
            **{name: {**key, "type": {"S": type_}} for name, type_ in images.items() if type_},
        },
    }


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        (None, "lead", ["INSERT", None]),
        ("lead", "lead", ["MODIFY", None]),
        ("lead", "customer", ["REMOVE", "INSERT"]),
        ("customer", "company", [None, "MODIFY"]),
        ("company", None, [None, "REMOVE"]),
        ("lead", "cart", ["REMOVE", None]),
        ("cart", "cart", [None, None]),
    ],
)
def test_the_expected_event_types_are_those_of_the_forwarder(
    old: str | None, new: str | None, kinds: list[str | None]
) -> None:
    record = change("1", old, new)
    conditions = [Where(LEADS), Where(CUSTOMERS)]
    assert [event_type(record, where) for where in conditions] == kinds
    sent = [routed(record, where) for where in conditions]
    assert [each and each["eventName"] for each in sent] == kinds


def test_the_names_of_lake_tables_are_those_that_users_type() -> None:
    assert [lake.name for lake in lakes_of(Mock(), deployed_pipeline())] == ["orders"]
    lakes = lakes_of(Mock(), shop())
    assert [(lake.name, lake.rules) for lake in lakes] == [
        ("orders.customers", CUSTOMERS),
        ("orders.leads", LEADS),
    ]
    [filtered] = lakes_of(Mock(), deployed_pipeline({"where": LEADS}))
    assert filtered.rules == LEADS


def test_the_crawlers_of_all_lake_tables_run(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "crawl", lambda _, name: {"leads-crawler": 2, "one": 3}[name])
    assert crawl_all(Mock(), [shop(), deployed_pipeline(crawler="one")]) == {
        "orders.leads": 2,
        "orders": 3,
    }


def test_a_change_is_delivered_when_every_lake_table_has_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    records = [
        change("1", None, "lead"),
        change("2", "lead", "customer"),
        change("3", None, "cart"),
    ]
    rows: dict[str, Mapping[str, str]] = {"orders.leads": {}, "orders.customers": {}}
    counted = [0]
    monkeypatch.setattr(run, "stream_records", lambda *_: records)
    monkeypatch.setattr(run, "unmatched_changes", lambda *_: counted[0])
    monkeypatch.setattr(Lake, "event_types", lambda lake: rows[lake.name])
    monkeypatch.setattr(Lake, "failed_changes", lambda _: [])
    [one] = runs_of(Mock(), [shop()], {"orders": Sample((), {"leads": SampleTable(())})})

    def poll() -> tuple[int, int]:
        one.poll()
        return one.undelivered, one.left

    one.read_stream()
    assert (one.matched, one.unmatched) == (2, 1)
    assert one.expected == {
        "orders.leads": {"1": "INSERT", "2": "REMOVE"},
        "orders.customers": {"2": "INSERT"},
    }
    assert poll() == (2, 3)
    rows["orders.leads"] = {"1": "INSERT", "2": "REMOVE"}
    assert poll() == (1, 2)
    rows["orders.customers"] = {"2": "INSERT"}
    assert poll() == (0, 1)
    counted[0] = 1
    assert poll() == (0, 0)


def test_a_pipeline_without_a_sample_is_not_run() -> None:
    assert runs_of(Mock(), [deployed_pipeline()], {"other": samples()["orders"]}) == []


def test_the_shown_item_moves_and_has_few_changes() -> None:
    def table(name: str, **event_types: str) -> Any:
        return run.TableReport(**{**vars(TABLE), "name": name, "event_types": event_types})

    records = [
        change("stays", None, "lead", pk="c-0"),
        change("first", None, "lead", pk="c-2"),
        change("begins", None, "lead"),
        change("is-counted", "cart", "cart"),
        change("moves", "lead", "customer"),
        change("second", "lead", "lead", pk="c-2"),
        change("later", "lead", "customer", pk="c-2"),
    ]
    customers = table("customers", moves="INSERT", later="INSERT")
    leads = table(
        "leads",
        **{"stays": "INSERT", "first": "INSERT", "begins": "INSERT"},
        **{"moves": "REMOVE", "second": "MODIFY", "later": "REMOVE"},
    )

    assert moved_changes(records, [customers, leads]) == [
        MovedChange("c-1 PROFILE", 1, "leads", "INSERT"),
        MovedChange("c-1 PROFILE", 3, "leads", "REMOVE"),
        MovedChange("c-1 PROFILE", 3, "customers", "INSERT"),
    ]
    assert moved_changes(records, [leads]) == []
