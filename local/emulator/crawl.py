"""Glue crawls: ministack's crawler changes its state and does not crawl.

A crawler of a catalog table adds missing partitions. A crawler of an S3 path also creates the
table with the columns of its JSON lines, and adds columns later.
"""

import gzip
import itertools
import tempfile
from typing import Any
from urllib.parse import urlparse

import duckdb

from streaming_etl.stack.clients import Clients

# https://docs.aws.amazon.com/glue/latest/webapi/API_BatchCreatePartition.html
PARTITIONS_PER_CALL = 100
# Objects that are read to find the columns of a new table.
SAMPLED_OBJECTS = 20

JSON_STORAGE = {
    "InputFormat": "org.apache.hadoop.mapred.TextInputFormat",
    "OutputFormat": "org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat",
    "SerdeInfo": {"SerializationLibrary": "org.openx.data.jsonserde.JsonSerDe"},
}


def crawl(clients: Clients, crawler_name: str) -> int:
    """Run one crawler to its end; return the number of added partitions."""
    crawler = clients("glue").get_crawler(Name=crawler_name)["Crawler"]
    added = 0
    for target in crawler["Targets"].get("CatalogTargets", []):
        for table in target["Tables"]:
            added += add_partitions(clients, target["DatabaseName"], table)
    for target in crawler["Targets"].get("S3Targets", []):
        name = crawler.get("TablePrefix", "") + target["Path"].rstrip("/").rpartition("/")[2]
        if ensure_table(clients, crawler["DatabaseName"], name, target["Path"]):
            added += add_partitions(clients, crawler["DatabaseName"], name)
    return added


def add_partitions(clients: Clients, database: str, table_name: str) -> int:
    """Add the table's missing partitions and return their number."""
    glue = clients("glue")
    table = glue.get_table(DatabaseName=database, Name=table_name)["Table"]
    storage, keys = table["StorageDescriptor"], [key["Name"] for key in table["PartitionKeys"]]
    pages = glue.get_paginator("get_partitions").paginate(
        DatabaseName=database, TableName=table_name
    )
    known = {tuple(partition["Values"]) for page in pages for partition in page["Partitions"]}
    missing = []
    for prefix in partition_prefixes(clients, storage["Location"]):
        names, values = keys_and_values(prefix)
        if names == keys and tuple(values) not in known:
            location = f"{storage['Location'].rstrip('/')}/{prefix}/"
            descriptor = {**storage, "Location": location}
            missing.append({"Values": values, "StorageDescriptor": descriptor})
    for start in range(0, len(missing), PARTITIONS_PER_CALL):
        glue.batch_create_partition(
            DatabaseName=database,
            TableName=table_name,
            PartitionInputList=missing[start : start + PARTITIONS_PER_CALL],
        )
    return len(missing)


def ensure_table(clients: Clients, database: str, name: str, path: str) -> bool:
    """Create the table if S3 has data, or add new columns.

    Returns whether the table exists now.
    """
    glue = clients("glue")
    try:
        table = glue.get_table(DatabaseName=database, Name=name)["Table"]
    except glue.exceptions.EntityNotFoundException:
        table = None
    prefixes = partition_prefixes(clients, path)
    if not prefixes:
        return table is not None
    storage = table["StorageDescriptor"] if table else {}
    known = {one["Name"]: one["Type"] for one in storage.get("Columns", ())}
    types = dict(known)
    for column, type_ in column_types(clients, path).items():
        types[column.lower()] = common_type(types.get(column.lower(), type_), type_)
    if table and types == known:
        return True
    keys, _ = keys_and_values(prefixes[0])
    columns = [{"Name": column, "Type": type_} for column, type_ in types.items()]
    write = glue.update_table if table else glue.create_table
    write(
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


def common_type(one: str, other: str) -> str:
    """Return the type of a column with values of both types."""
    if one == other:
        return one
    return "double" if {one, other} == {"bigint", "double"} else "string"


def list_objects(clients: Clients, location: str) -> dict[str, int]:
    """Return size by key of all objects below an S3 location."""
    url = urlparse(location)
    pages = clients("s3").get_paginator("list_objects_v2")
    listed = pages.paginate(Bucket=url.netloc, Prefix=url.path.strip("/") + "/")
    return {item["Key"]: item["Size"] for page in listed for item in page.get("Contents", [])}


def partition_prefix(location: str, key: str) -> str:
    """Return the `name=value` folders of a key below a table's location.

    Other folders may follow: Firehose appends the hour to a prefix without a timestamp.
    https://docs.aws.amazon.com/firehose/latest/dev/s3-prefixes.html
    """
    folders = key.removeprefix(urlparse(location).path.strip("/") + "/").split("/")[:-1]
    return "/".join(itertools.takewhile(lambda folder: "=" in folder, folders))


def partition_prefixes(clients: Clients, location: str) -> list[str]:
    """List the partition prefixes that hold objects."""
    keys = list_objects(clients, location)
    return sorted({partition_prefix(location, key) for key in keys} - {""})


def keys_and_values(prefix: str) -> tuple[list[str], list[str]]:
    """Split `year=2026/month=11` into keys and values."""
    pairs = [folder.partition("=") for folder in prefix.split("/")]
    return [key for key, _, _ in pairs], [value for _, _, value in pairs]


def column_types(clients: Clients, location: str) -> dict[str, str]:
    """Return the Hive types of the columns in the newest objects."""
    bucket = urlparse(location).netloc
    with tempfile.NamedTemporaryFile(suffix=".json") as file:
        # Keys end with a time.
        for key in sorted(list_objects(clients, location))[-SAMPLED_OBJECTS:]:
            body = clients("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
            file.write(gzip.decompress(body) if key.endswith(".gz") else body)
        file.flush()
        return columns_of(file.name)


def columns_of(path: str) -> dict[str, str]:
    """Return the Hive types of a JSON lines file's columns."""
    rows = duckdb.read_json(
        path, format="newline_delimited", sample_size=-1, map_inference_threshold=-1
    )
    return {name: hive_type(type_) for name, type_ in zip(rows.columns, rows.types, strict=True)}


def hive_type(type_: Any) -> str:
    """Convert a type of DuckDB; columns of several types are strings."""
    if type_.id == "struct":
        fields = (f"{name.lower()}:{hive_type(field)}" for name, field in type_.children)
        return f"struct<{','.join(fields)}>"
    if type_.id == "list":
        return f"array<{hive_type(type_.children[0][1])}>"
    return type_.id if type_.id in ("boolean", "bigint", "double") else "string"
