"""The sample's writes, and the comparison of items with rows."""

from decimal import Decimal

from local.sample.writes import Item, differences, samples


def test_the_sample_is_reproducible_and_has_every_kind_of_write() -> None:
    assert samples() == samples()
    for sample in samples().values():
        assert {write.kind for write in sample.writes} == {"insert", "update", "delete"}
    items = [write.item for write in samples()["orders"].writes if write.item is not None]
    invalid = [item for item in items if "store_id" not in item]
    [table] = samples()["orders"].tables.values()
    assert len(invalid) == table.expected_failures == 1


def test_the_sample_of_the_shop_has_every_kind_of_item_and_each_change_of_kind() -> None:
    items: dict[tuple[str, ...], Item] = {}
    moves, kinds = set(), set()
    for write in samples()["shop"].writes:
        key = tuple(write.key.values())
        before = items.pop(key, None)
        if write.item is not None:
            items[key] = write.item
            assert {name: write.item[name] for name in ("pk", "sk")} == write.key
            kinds.add(write.item.get("type", write.item["sk"].partition("#")[0]))
            if before is not None:
                moves.add((before.get("type"), write.item.get("type")))
    assert kinds == {"ORDER", "CART", "lead", "customer", "company"}
    assert {move for move in moves if move[0] != move[1]} == {
        ("lead", "customer"),
        ("customer", "company"),
    }


def test_the_comparison_finds_missing_additional_and_different_rows() -> None:
    items = {
        "equal": {"kg": Decimal("1.5"), "at": "2026-11-01T09:00:00"},
        "other": {"kg": Decimal("1.5"), "at": "2026-11-01T09:00:00"},
        "late": {"kg": Decimal("1.5"), "at": "2026-11-01T09:00:00"},
        "null": {"at": "2026-11-01T09:00:00"},
        "only in the table": {},
    }
    rows = {
        "equal": {"kg": "1.500", "at": "2026-11-01 09:00:00"},
        "other": {"kg": "1.501", "at": "2026-11-01 09:00:00"},
        "late": {"kg": "1.500", "at": "2026-11-01 08:59:00"},
        "null": {"kg": None, "at": "2026-11-01 09:00:00"},
        "only in the lake": {"kg": None, "at": None},
    }

    different = differences(items, rows, ("kg", "at"))

    assert different == ["late", "only in the lake", "only in the table", "other"]
