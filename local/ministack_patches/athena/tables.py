"""DuckDB tables with the rows of Glue tables."""

from collections.abc import Iterable
from typing import Any

import duckdb
from ministack.services import athena

from local.ministack_patches.athena.files import Files, TableFiles
from local.ministack_patches.athena.statement import TableName, quoted

# The column with a row's file, in the relations of DuckDB's readers.
FILE = "$file"

# Types of Glue whose name DuckDB does not know, or reads differently.
# https://docs.aws.amazon.com/athena/latest/ug/data-types.html
TYPES = {"string": "VARCHAR", "binary": "BLOB", "decimal": "DECIMAL(10, 0)"}

# Expressions by column name.
Columns = dict[str, str]


def create_table(
    connection: duckdb.DuckDBPyConnection,
    name: TableName,
    table: dict[str, Any],
    files: TableFiles,
    with_path: bool,
) -> None:
    """Create the DuckDB table of a Glue table, with `"$path"` on request."""
    storage = table.get("StorageDescriptor") or {}
    types = {one["Name"]: duckdb_type(one["Type"]) for one in storage.get("Columns") or []}
    keys = {one["Name"]: duckdb_type(one["Type"]) for one in table.get("PartitionKeys") or []}
    copied = files.of(storage.get("Location") or "")
    if copied.paths:
        read = READERS.get(athena._data_format(table))
        if read is None:
            raise ValueError(
                f"The embedded AWS does not read {athena._data_format(table)} objects."
            )
        reader, columns = read(connection, table, types, copied)
        hidden_by_keys = {key.lower() for key in keys}
        columns = {name: sql for name, sql in columns.items() if name.lower() not in hidden_by_keys}
        for key, type_ in keys.items():
            columns[key] = f'TRY_CAST(objects."values"[{literal(key)}] AS {type_})'
        if with_path:
            columns["$path"] = "objects.path"
        source = (
            f"{reader} AS data JOIN {objects(copied)} AS objects "
            f"ON data.{quoted(FILE)} = objects.file"
        )
    else:
        columns = nulls({**types, **keys, **({"$path": "VARCHAR"} if with_path else {})})
        source = "(SELECT 1) WHERE false"
    selected = ", ".join(f"{sql} AS {quoted(column)}" for column, sql in columns.items())
    connection.execute(f"CREATE TABLE {name.quoted()} AS SELECT {selected} FROM {source}")


def objects(files: Files) -> str:
    """A relation with the object of each file."""
    return (
        f"read_json({literal(str(files.descriptions))}, format = 'newline_delimited', columns = "
        "{file: 'VARCHAR', path: 'VARCHAR', \"values\": 'MAP(VARCHAR, VARCHAR)'})"
    )


def read_csv(
    _connection: duckdb.DuckDBPyConnection, table: dict[str, Any], types: Columns, files: Files
) -> tuple[str, Columns]:
    """Read columns by position; a value of another type is NULL."""
    serde = table["StorageDescriptor"].get("SerdeInfo") or {}
    parameters = serde.get("Parameters") or {}
    delimiter, quote = parameters.get("field.delim", ","), '"'
    if "OpenCSVSerde" in (library := serde.get("SerializationLibrary") or ""):
        delimiter = parameters.get("separatorChar", ",")
        quote = parameters.get("quoteChar", '"')
    elif "LazySimpleSerDe" in library:
        delimiter, quote = parameters.get("field.delim", "\x01"), ""
    skip = int((table.get("Parameters") or {}).get("skip.header.line.count", 0))
    raw = ", ".join(f"c{number}: 'VARCHAR'" for number in range(len(types)))
    reader = (
        f"read_csv({literals(files.paths)}, filename = '{FILE}', auto_detect = false, "
        f"header = false, skip = {skip}, delim = {literal(delimiter)}, quote = {literal(quote)}, "
        f"escape = {literal(quote)}, columns = {{{raw}}}, null_padding = true, "
        "strict_mode = false)"
    )
    columns = {
        name: f"TRY_CAST(data.c{number} AS {type_})"
        for number, (name, type_) in enumerate(types.items())
    }
    return reader, columns


def read_json(
    connection: duckdb.DuckDBPyConnection, table: dict[str, Any], types: Columns, files: Files
) -> tuple[str, Columns]:
    """Read JSON with the columns and types of Glue.

    With given types DuckDB matches names by case, so a table that ignores case is read with the
    types of the data first.
    """
    # The buffers of a file have twice this size, 16 MiB by default: too much for many files.
    source = f"{literals(files.paths)}, filename = '{FILE}', maximum_object_size = {files.largest}"
    serde = table["StorageDescriptor"].get("SerdeInfo") or {}
    if (serde.get("Parameters") or {}).get("case.insensitive") == "false":
        given = ", ".join(f"{literal(name)}: {literal(type_)}" for name, type_ in types.items())
        reader = f"read_json({source}, columns = {{{given}}})"
        return reader, {name: f"data.{quoted(name)}" for name in types}
    reader, names = loaded(connection, f"read_json({source}, union_by_name = true)")
    columns = nulls(types)
    glue_names = {name.lower(): name for name in types}
    for name in names:
        if glue_name := glue_names.get(name.lower()):
            value = f"data.{quoted(name)}"
            columns[glue_name] = cast(connection, value, types[glue_name])
    return reader, columns


def cast(connection: duckdb.DuckDBPyConnection, value: str, type_: str) -> str:
    """Return a loaded column's value with a type of Glue.

    A cast of a struct matches names in any case, and missing fields are NULL.
    """
    sql = f"TRY_CAST({value} AS {type_})"
    try:
        connection.execute(f"SELECT {sql} FROM memory.main.loaded AS data LIMIT 0")
    except duckdb.BinderException:
        # No field of the struct is in the data.
        return f"CAST(NULL AS {type_})"
    return sql


def read_parquet(
    connection: duckdb.DuckDBPyConnection, _table: dict[str, Any], types: Columns, files: Files
) -> tuple[str, Columns]:
    """Read Parquet by name."""
    reader, names = loaded(
        connection,
        f"read_parquet({literals(files.paths)}, filename = '{FILE}', union_by_name = true)",
    )
    present = {name.lower() for name in names}
    columns = nulls(types)
    for name, type_ in types.items():
        if name.lower() in present:
            columns[name] = f"CAST(data.{quoted(name)} AS {type_})"
    return reader, columns


READERS = {"csv": read_csv, "json": read_json, "parquet": read_parquet}


def loaded(connection: duckdb.DuckDBPyConnection, reader: str) -> tuple[str, list[str]]:
    """Load what a reader returns; return the table and its columns."""
    connection.execute(f"CREATE OR REPLACE TABLE memory.main.loaded AS SELECT * FROM {reader}")
    description = connection.execute("SELECT * FROM memory.main.loaded LIMIT 0").description
    return "memory.main.loaded", [name for name, *_ in description or () if name != FILE]


def nulls(types: Columns) -> Columns:
    return {name: f"CAST(NULL AS {type_})" for name, type_ in types.items()}


def duckdb_type(glue_type: str) -> str:
    """Convert a type of Glue, nested types included."""
    kind, _, inner = glue_type.strip().removesuffix(">").partition("<")
    match kind.lower():
        case "array":
            return f"{duckdb_type(inner)}[]"
        case "map":
            return f"MAP({', '.join(map(duckdb_type, split(inner)))})"
        case "struct":
            fields = (field.partition(":") for field in split(inner))
            types = (f"{quoted(name.strip())} {duckdb_type(type_)}" for name, _, type_ in fields)
            return f"STRUCT({', '.join(types)})"
        case other:
            return TYPES.get(other, other)


def split(types: str) -> list[str]:
    """Split at the commas that are not inside of brackets."""
    parts, depth = [""], 0
    for letter in types:
        depth += (letter in "<(") - (letter in ">)")
        if letter == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += letter
    return parts


def literal(text: str) -> str:
    """A text as an SQL literal."""
    return "'" + text.replace("'", "''") + "'"


def literals(texts: Iterable[str]) -> str:
    return f"[{', '.join(map(literal, texts))}]"
