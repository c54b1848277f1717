"""Simulated user's module: each change chooses its result by its attribute `do`."""

from typing import Any

# In every image, key and store. No log may contain it.
SECRET = "kept s3cr3t kept"
STORES = (f"north {SECRET}", f"south {SECRET}", f"西 {SECRET}")

COLUMNS = {
    "id": "string",
    "number": "bigint",
    "price": "decimal(10,2)",
    "note": "string",
    "seen": "timestamp",
    "before": "bigint",
    "ttl": "boolean",
}


# Scripts of changes that are dead-lettered.
FAILING = {"fail", "exit", "return a text", "kill", "mix partitions", "wrong column"}


class KilledError(BaseException):
    """End of the process by a time-out; handlers must not catch it."""


def transform(
    change: Any,
    partitioned: bool = False,
    is_fixed: bool = False,
    has_extra: bool = False,
    has_labels: bool = True,
) -> Any:
    """Return the row, with its store if that is a partition key.

    is_fixed: whether the scripts that fail are ignored.
    has_extra: whether rows have the column that is added to COLUMNS.
    has_labels: whether rows have the labels of an item.
    """
    image = change.new or change.old or {}
    row = {
        "id": change.keys["id"],
        "number": image.get("number"),
        "price": image.get("price"),
        "note": image.get("note"),
        "seen": image.get("seen"),
        "before": change.old["number"] if change.old and change.new else None,
    }
    if change.kind == "REMOVE":
        row["ttl"] = change.is_ttl_delete
    labels = image.get("labels")
    if has_labels and labels is not None:
        row["labels"] = labels
    if has_extra:
        row["extra"] = image.get("number")
    if partitioned:
        row["store"] = image.get("store") or store_of(change.keys["id"])
    return row if is_fixed and image.get("do") in FAILING else scripted(image, row, change)


def store_of(item: str) -> str:
    """Return the store of an item without the attribute."""
    return STORES[sum(item.encode()) % 2]


def scripted(image: dict[str, Any], row: dict[str, Any], change: Any) -> Any:
    """Return the result that `do` requires; by default `row`."""
    match image.get("do"):
        case "filter":
            return None
        case "return nothing":
            return []
        case "return a text":
            return f"a text {image['note']}"
        case "return three rows":
            return [row | {"number": row["number"] + more} for more in range(3)]
        case "modify the change":
            # All ways to copy a dict must copy the entire item.
            copies = (
                {**image},
                dict(image),
                image | {},
                image.copy(),
                {name: image[name] for name in image},
                dict(image.items()),
            )
            change.keys.clear()
            image.clear()
            return row if all(copy == copies[0] for copy in copies) else None
        case "return the item":
            return {name: value for name, value in image.items() if name != "do"} | row
        case "mix partitions":
            return [row | {"store": store} for store in STORES]
        case "wrong column":
            return row | {"number": f"a text {image['note']}"}
        case "widen":
            return row | {"note": image["note"] + "x" * image["width"]}
        case "fail":
            raise ValueError(f"invalid: {image}")
        case "exit":
            raise SystemExit
        case "kill":
            raise KilledError
    return row
