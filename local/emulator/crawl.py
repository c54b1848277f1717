"""Crawls, which ministack's crawler does not: it only changes its state.

A crawler of a catalog table adds the partitions whose folders are there. A crawler of an S3
path does the same, and makes the table where there is none yet, with the columns that it
finds in the JSON lines.
"""

import gzip
import itertools
import json
from collections.abc import Iterable, Mapping
from typing import Any
from urllib.parse import urlparse

from streaming_etl.stack.clients import Clients

# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchCreatePartition.html
PARTITIONS_PER_CALL = 100
# How many objects of a new table are read for its columns.
SAMPLED_OBJECTS = 20

JSON_STORAGE = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
}


def crawl(clients: Clients, crawler_name: str) -> int:
    """Run one crawler to its end; how many partitions it has added."""
    crawler = clients("glue").get_crawler(Name=crawler_name)["Crawler"]
    added = 0
    for target in crawler["Targets"].get("CatalogTargets", []):
        for table in target["Tables"]:
            added += add_partitions(clients, target["DatabaseName"], table)
    for target in crawler["Targets"].get("S3Targets", []):
        name = crawler.get("TablePrefix", "") + target["Path"].rstrip("/").rpartition("/")[2]
        if make_table(clients, crawler["DatabaseName"], name, target["Path"]):
            added += add_partitions(clients, crawler["DatabaseName"], name)
    return added


def add_partitions(clients: Clients, database: str, table_name: str) -> int:
    """Add the table's missing partitions, values in the order of its keys."""
    glue = clients("glue")
    table = glue.get_table(DatabaseName=database, Name=table_name)["Table"]
    storage = table["StorageDescriptor"]
    keys = [key["Name"] for key in table["PartitionKeys"]]
    pages = glue.get_paginator("get_partitions").paginate(
        DatabaseName=database, TableName=table_name
    )
    known = {tuple(partition["Values"]) for page in pages for partition in page["Partitions"]}
    missing = []
    for folder in folders_below(clients, storage["Location"]):
        names, values = split_folder(folder)
        if names == keys and tuple(values) not in known:
            location = f"{storage['Location'].rstrip('/')}/{folder}/"
            placed = {**storage, "Location": location}
            missing.append({"Values": values, "StorageDescriptor": placed})
    for start in range(0, len(missing), PARTITIONS_PER_CALL):
        glue.batch_create_partition(
            DatabaseName=database,
            TableName=table_name,
            PartitionInputList=missing[start : start + PARTITIONS_PER_CALL],
        )
    return len(missing)


def make_table(clients: Clients, database: str, name: str, path: str) -> bool:
    """Make the table of an S3 path out of what lies there; whether it stands now."""
    glue = clients("glue")
    try:
        glue.get_table(DatabaseName=database, Name=name)
        return True
    except glue.exceptions.EntityNotFoundException:
        pass
    folders = folders_below(clients, path)
    if not folders:
        return False
    keys, _ = split_folder(folders[0])
    shape = merge_all(json.loads(line) for line in sample_lines(clients, path))
    columns = [{"Name": column, "Type": hive(kind)} for column, kind in shape.items()]
    glue.create_table(
        DatabaseName=database,
        TableInput={
            "Name": name,
            "TableType": "EXTERNAL_TABLE",
            "Parameters": {"classification": "json"},
            "PartitionKeys": [{"Name": key, "Type": "string"} for key in keys],
            "StorageDescriptor": {"Location": path, "Columns": columns, **JSON_STORAGE},
        },
    )
    return True


def split_folder(folder: str) -> tuple[list[str], list[str]]:
    """`year=2026/month=11` as keys and values."""
    pairs = [part.partition("=") for part in folder.split("/")]
    return [key for key, _, _ in pairs], [value for _, _, value in pairs]


def keys_below(clients: Clients, location: str) -> tuple[str, str, list[str]]:
    """Bucket, prefix and object keys of a location."""
    parsed = urlparse(location)
    prefix = parsed.path.lstrip("/").rstrip("/") + "/"
    pages = clients("s3").get_paginator("list_objects_v2")
    found = pages.paginate(Bucket=parsed.netloc, Prefix=prefix)
    return (
        parsed.netloc,
        prefix,
        [item["Key"] for page in found for item in page.get("Contents", [])],
    )


def folders_below(clients: Clients, location: str) -> list[str]:
    """The Hive folders that hold objects, relative to the location."""
    _, prefix, keys = keys_below(clients, location)
    return sorted({hive_folder(key[len(prefix) :]) for key in keys} - {""})


def hive_folder(key: str) -> str:
    """The `name=value` folders that a key begins with.

    More folders may follow: Firehose appends the hour to a prefix without a timestamp.
    https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
    """
    folders = key.split("/")[:-1]
    return "/".join(itertools.takewhile(lambda folder: "=" in folder, folders))


def sample_lines(clients: Clients, location: str) -> Iterable[bytes]:
    bucket, _, keys = keys_below(clients, location)
    for key in keys[:SAMPLED_OBJECTS]:
        body = clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
        yield from (gzip.decompress(body) if key.endswith(".gz") else body).splitlines()


def merge_all(rows: Iterable[Mapping[str, Any]]) -> dict[str, Any]:
    """The shape of all rows together: a Hive type's name, {field: shape} or [shape]."""
    shape: dict[str, Any] = {}
    for row in rows:
        shape = merge(shape, shape_of(row))
    return shape


def shape_of(value: Any) -> Any:
    match value:
        case None:
            return None
        case bool():
            return "boolean"
        case int():
            return "bigint"
        case float():
            return "double"
        case dict():
            return {key.lower(): shape_of(item) for key, item in value.items()}
        case list():
            item = None
            for member in value:
                item = merge(item, shape_of(member))
            return [item]
    return "string"


def merge(one: Any, other: Any) -> Any:
    """The shape that holds both; text holds whatever does not go together."""
    if one is None or other is None or one == other:
        return other if one is None else one
    if isinstance(one, dict) and isinstance(other, dict):
        return {key: merge(one.get(key), other.get(key)) for key in {**one, **other}}
    if isinstance(one, list) and isinstance(other, list):
        return [merge(one[0], other[0])]
    numbers = {"bigint", "double"}
    together = isinstance(one, str) and isinstance(other, str) and {one, other} == numbers
    return "double" if together else "string"


def hive(shape: Any) -> str:
    """A shape as a Hive type; what was NULL everywhere is text."""
    if isinstance(shape, dict):
        return f"struct<{','.join(f'{name}:{hive(kind)}' for name, kind in shape.items())}>"
    if isinstance(shape, list):
        return f"array<{hive(shape[0])}>"
    return shape or "string"
