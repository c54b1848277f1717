"""Runs a query on the embedded Athena and waits for its rows."""

import time
from dataclasses import dataclass

from local import LocalError
from streaming_etl.stack.clients import Clients

QUERY_SECONDS = 60.0
POLL_SECONDS = 0.02

Row = dict[str, str | None]


@dataclass(frozen=True)
class Answer:
    """Column names in order, and rows as Athena gives them: text, or None for NULL."""

    columns: list[str]
    rows: list[Row]


def query(clients: Clients, sql: str, workgroup: str, database: str) -> Answer:
    """Run one statement in a workgroup; raises LocalError with Athena's reason if it fails."""
    athena = clients("athena")
    execution = athena.start_query_execution(
        QueryString=sql, WorkGroup=workgroup, QueryExecutionContext={"Database": database}
    )["QueryExecutionId"]
    deadline = time.monotonic() + QUERY_SECONDS
    while True:
        described = athena.get_query_execution(QueryExecutionId=execution)
        status = described["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            return fetch(clients, execution)
        if status["State"] in ("FAILED", "CANCELLED"):
            raise LocalError(f"Athena refuses the query: {status.get('StateChangeReason', '')}")
        if time.monotonic() > deadline:
            raise LocalError(f"Athena took more than {QUERY_SECONDS:.0f} seconds for: {sql}")
        time.sleep(POLL_SECONDS)


def fetch(clients: Clients, execution: str) -> Answer:
    columns: list[str] = []
    rows: list[Row] = []
    pages = clients("athena").get_paginator("get_query_results")
    for number, page in enumerate(pages.paginate(QueryExecutionId=execution)):
        result = page["ResultSet"]
        if number == 0:
            columns = [column["Name"] for column in result["ResultSetMetadata"]["ColumnInfo"]]
        # The first page of a SELECT begins with the column names.
        for row in result["Rows"][1 if number == 0 else 0 :]:
            values = [datum.get("VarCharValue") for datum in row["Data"]]
            rows.append(dict(zip(columns, values, strict=True)))
    return Answer(columns, rows)


def saved_query(clients: Clients, query_id: str) -> str:
    """The SQL of a saved query."""
    named = clients("athena").get_named_query(NamedQueryId=query_id)["NamedQuery"]
    return str(named["QueryString"])
