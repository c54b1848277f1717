"""Settings of a stack, overridden by `--set`."""

from typing import Any

from streaming_etl.ops.stack_settings import merge_pipeline, parse_overrides

ONE = {"table_name": "shop", "format": "csv", "delivery": {"buffer_mib": 5}}
SEVERAL: dict[str, Any] = {
    "table_name": "shop",
    "lake_tables": {"orders": {"format": "csv"}, "items": {"delivery": {"buffer_mib": 5}}},
}


def merged(settings: Any, *texts: str, only: str | None = None) -> Any:
    return merge_pipeline(settings, parse_overrides(texts), only)


def test_overrides_are_merged_by_group() -> None:
    assert merged(ONE, "format=json", "delivery.buffer_seconds=60") == {
        "table_name": "shop",
        "format": "json",
        "delivery": {"buffer_mib": 5, "buffer_seconds": 60},
    }
    assert merged(None, "format=json") is None


def test_overrides_are_read_as_the_config_of_a_stack() -> None:
    texts = ["format=on", "where.day=[2026-11-23, no]", "forwarder.batch_size=1e3", "tags.at=12:30"]
    assert parse_overrides([*texts, "iam="]) == {
        "format": "on",
        "where": {"day": ["2026-11-23 00:00:00 +0000 UTC", "no"]},
        "forwarder": {"batch_size": 1000},
        "tags": {"at": "12:30"},
        "iam": None,
    }


def test_a_setting_of_lake_tables_applies_to_each() -> None:
    texts = ("format=json", "delivery.buffer_seconds=60", "query.current_state=false")
    of_table = {"format": "json", "query": {"current_state": False}}
    assert merged(SEVERAL, *texts, "forwarder.batch_size=9", "query.force_destroy=true") == {
        "table_name": "shop",
        "forwarder": {"batch_size": 9},
        "query": {"force_destroy": True},
        "lake_tables": {
            "orders": {**of_table, "delivery": {"buffer_seconds": 60}},
            "items": {**of_table, "delivery": {"buffer_mib": 5, "buffer_seconds": 60}},
        },
    }


def test_a_setting_of_one_lake_table_applies_to_it() -> None:
    tables = merged(SEVERAL, "lake_tables.items.format=json")["lake_tables"]
    assert {key: table.get("format") for key, table in tables.items()} == {
        "orders": "csv",
        "items": "json",
    }
    tables = merged(SEVERAL, "format=json", only="items")["lake_tables"]
    assert {key: table.get("format") for key, table in tables.items()} == {
        "orders": "csv",
        "items": "json",
    }


def test_freshness_applies_to_the_pipeline_and_to_each_lake_table() -> None:
    settings = merged(SEVERAL, "freshness=economy")
    assert settings["freshness"] == "economy"
    assert [table["freshness"] for table in settings["lake_tables"].values()] == ["economy"] * 2


def test_settings_that_are_not_a_map_stay_for_the_check_of_the_settings() -> None:
    assert merged({"lake_tables": []}, "format=json") == {"lake_tables": [], "format": "json"}
    table = {"lake_tables": {"orders": []}}
    assert merged(table, "format=json") == table
