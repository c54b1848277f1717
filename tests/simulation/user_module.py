"""The simulated user's transform: each change does what its own image asks for in `do`."""

from typing import Any

# Stands in every image, in the keys and in the stores: what must not be in any log.
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


class KilledError(BaseException):
    """The function's process ends here, as by a time-out or a crash; no handler may catch it."""


def transform(change: Any, partitioned: bool = False) -> Any:
    """The row, with its store where that is a partition key."""
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
    if partitioned:
        row["store"] = image.get("store") or store_of(change.keys["id"])
    return obey(image, row, change)


def store_of(item: str) -> str:
    """Where an item without a store of its own belongs."""
    return STORES[sum(item.encode()) % 2]


def obey(image: dict[str, Any], row: dict[str, Any], change: Any) -> Any:
    """What `do` asks for; `row` where it asks for nothing else."""
    match image.get("do"):
        case "leave out":
            return None
        case "return nothing":
            return []
        case "return a text":
            return f"a text {image['note']}"
        case "return three rows":
            return [row | {"number": row["number"] + more} for more in range(3)]
        case "take the change apart":
            # The ways in which code copies a dict: each must see the whole item.
            whole = (
                *({**image}, dict(image), image | {}, image.copy()),
                {name: image[name] for name in image},
                dict(image.items()),
            )
            change.keys.clear()
            image.clear()
            return row if all(copy == whole[0] for copy in whole) else None
        case "return the item":
            return {name: value for name, value in image.items() if name != "do"} | row
        case "mix partitions":
            return [row | {"store": store} for store in STORES]
        case "wrong column":
            return row | {"number": f"a text {image['note']}"}
        case "widen":
            return row | {"note": image["note"] + "x" * image["width"]}
        case "fail":
            raise ValueError(f"no good: {image}")
        case "kill":
            raise KilledError
    return row
