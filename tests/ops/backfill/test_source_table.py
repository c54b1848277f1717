"""Description of the table that a backfill reads."""

from datetime import datetime, timedelta, timezone

from streaming_etl.ops.backfill.source_table import source_table
from tests.support.backfill import TABLE, FakeDynamoDb
from tests.support.deployed import deployed_pipeline


def test_the_creation_time_is_in_utc_in_every_zone() -> None:
    # boto3 returns times in the machine's zone.
    tokyo = timezone(timedelta(hours=9))
    table = FakeDynamoDb(CreationDateTime=datetime(2026, 11, 1, 18, tzinfo=tokyo))
    assert source_table(lambda _: table, deployed_pipeline()) == TABLE
