"""Types of Glue in DuckDB."""

import duckdb
import pytest

from local.ministack_patches.athena.tables import duckdb_type


@pytest.mark.parametrize(
    ("glue_type", "type_"),
    [
        ("string", "VARCHAR"),
        ("char(3)", "VARCHAR"),
        ("decimal(38,9)", "DECIMAL(38,9)"),
        ("decimal", "DECIMAL(10,0)"),
        ("double", "DOUBLE"),
        ("timestamp", "TIMESTAMP"),
        ("binary", "BLOB"),
        ("array<array<int>>", "INTEGER[][]"),
        ("map<string,decimal(5,2)>", "MAP(VARCHAR, DECIMAL(5,2))"),
        (
            "struct<a:int,order:map<string,struct<b:date>>>",
            'STRUCT(a INTEGER, "order" MAP(VARCHAR, STRUCT(b DATE)))',
        ),
    ],
)
def test_every_type_of_glue_has_one_of_duckdb(glue_type: str, type_: str) -> None:
    value = duckdb.sql(f"SELECT CAST(NULL AS {duckdb_type(glue_type)})")

    assert str(value.types[0]) == type_
