"""Run queries on the embedded Athena."""

import time
from dataclasses import dataclass

from streaming_etl.stack.clients import Clients
from streaming_etl.stack.errors import CommandError

QUERY_SECONDS = 60.0
POLL_SECONDS = 0.02

Row = dict[str, str | None]


@dataclass(frozen=True)
class QueryResult:
    """Column names in order, and rows as text, None for NULL."""

    columns: list[str]
    rows: list[Row]


def query(clients: Clients, sql: str, workgroup: str, database: str) -> QueryResult:
    """Run one statement; raises CommandError with Athena's reason when it fails."""
    athena = clients("athena")
    execution = athena.start_query_execution(
        QueryString=sql, WorkGroup=workgroup, QueryExecutionContext={"Database": database}
    )["QueryExecutionId"]
    deadline = time.monotonic() + QUERY_SECONDS
    while True:
        execution_state = athena.get_query_execution(QueryExecutionId=execution)
        status = execution_state["QueryExecution"]["Status"]
        if status["State"] == "SUCCEEDED":
            return fetch(clients, execution)
        if status["State"] in ("FAILED", "CANCELLED"):
            reason = status.get("StateChangeReason", "")
            raise CommandError(f"The query failed: {reason}", code="query-failed", reason=reason)
        if time.monotonic() > deadline:
            raise CommandError(
                f"The query did not end within {QUERY_SECONDS:.0f} seconds: {sql}",
                code="query-timeout",
                sql=sql,
            )
        time.sleep(POLL_SECONDS)


def fetch(clients: Clients, execution: str) -> QueryResult:
    """Read all pages of a query's result."""
    columns: list[str] = []
    rows: list[Row] = []
    pages = clients("athena").get_paginator("get_query_results")
    for number, page in enumerate(pages.paginate(QueryExecutionId=execution)):
        result = page["ResultSet"]
        if number == 0:
            columns = [column["Name"] for column in result["ResultSetMetadata"]["ColumnInfo"]]
        # The first row of the first page has the column names.
        for row in result["Rows"][1 if number == 0 else 0 :]:
            values = [datum.get("VarCharValue") for datum in row["Data"]]
            rows.append(dict(zip(columns, values, strict=True)))
    return QueryResult(columns, rows)


def saved_query(clients: Clients, query_id: str) -> str:
    """Return the SQL of a saved query."""
    named_query = clients("athena").get_named_query(NamedQueryId=query_id)["NamedQuery"]
    return str(named_query["QueryString"])
