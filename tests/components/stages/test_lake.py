"""The log of requests to the bucket."""

from streaming_etl import LakeArgs
from tests.support.pipelines import Pipelines
from tests.support.problems import places

OWN = "shop-lake-bucket-0a1b2c3"


def test_requests_are_logged_below_the_name_of_the_bucket(pipelines: Pipelines) -> None:
    lake = LakeArgs(access_log_bucket="logs")
    assert pipelines.build(lake=lake)["shop-lake-logging"].inputs == {
        "bucket": "shop-lake-bucket-0000000",
        "targetBucket": "logs",
        "targetPrefix": "shop-lake-bucket-0000000/",
    }


def test_the_log_has_the_configured_prefix(pipelines: Pipelines) -> None:
    lake = LakeArgs(access_log_bucket="logs", access_log_prefix="lake-")
    inputs = pipelines.build(lake=lake)["shop-lake-logging"].inputs
    assert inputs["targetPrefix"] == "lake-"


def test_a_bucket_does_not_log_to_itself(pipelines: Pipelines) -> None:
    lake = LakeArgs(access_log_bucket=OWN)
    expected = [("lake", "access_log_bucket", "pattern")]
    assert places(pipelines.problems(lake=lake)) == expected
    # A renamed pipeline keeps its bucket.
    assert places(pipelines.problems("store", lake=lake, renamed_from="shop")) == expected
    assert pipelines.build("store", lake=lake)["store-lake-logging"]
