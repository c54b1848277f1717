"""The transform runs from an unpacked archive, with what the archive holds and nothing else."""

import base64
import json
import shutil
import subprocess
import sys
from importlib.resources import files
from pathlib import Path

import pytest

from streaming_etl import handlers
from tests.handlers.fakes import firehose_records, line

MODULE = """\
def transform(change):
    if "fail" in change.new:
        raise ValueError(change.new)
    return {"id": change.new["id"]}
"""

MAIN = """\
import json, sys
from streaming_etl.handlers.transform import lambda_handler
class Context:
    function_name = "orders-transform-function"
    def get_remaining_time_in_millis(self):
        return 60000
response = lambda_handler(json.load(sys.stdin), Context())
print(json.dumps([response, sorted({"boto3", "botocore", "pulumi"} & set(sys.modules))]))
"""


@pytest.fixture
def archive(tmp_path):
    """What a Lambda finds in its root; the pipeline has hourly folders in Tokyo's time."""
    source = Path(handlers.__file__).parent
    shutil.copytree(source, tmp_path / "streaming_etl" / "handlers")
    shutil.copy(source.parent / "__init__.py", tmp_path / "streaming_etl")
    (tmp_path / "transform_module.py").write_text(MODULE)
    settings = {
        "format": "csv",
        "columns": [{"name": "id", "type": "string"}],
        "dynamic_partition_keys": {},
        "time_keys": ["dt", "hour"],
        "time_zone": "Asia/Tokyo",
        "lazy_items": True,
    }
    (tmp_path / "transform.json").write_text(json.dumps(settings))
    (tmp_path / "zoneinfo" / "Asia").mkdir(parents=True)
    zone = files("tzdata").joinpath("zoneinfo/Asia/Tokyo")
    (tmp_path / "zoneinfo" / "Asia" / "Tokyo").write_bytes(zone.read_bytes())
    return tmp_path


def run(archive, event):
    """The handler's response, the AWS libraries it imported, and its log, in a fresh process."""
    done = subprocess.run(
        [sys.executable, "-c", MAIN],
        cwd=archive,
        input=json.dumps(event),
        capture_output=True,
        text=True,
        check=True,
    )
    *log, result = map(json.loads, done.stdout.splitlines())
    return *result, log


def test_the_handler_loads_its_archive_and_imports_no_aws_library(archive, firehose_batch):
    firehose_batch["records"] = firehose_records(line(1), line(2, fail={"BOOL": True}))
    response, imported, log = run(archive, firehose_batch)
    row = (
        '"INSERT","{""id"":{""S"":""o-1""}}",0,"event-1","4421584500000000017450439001",'
        '2026-11-23 09:30:00,"o-1"\n'
    )
    assert response == {
        "records": [
            {
                "recordId": firehose_batch["records"][0]["recordId"],
                "result": "Ok",
                "data": base64.b64encode(row.encode()).decode(),
                "metadata": {"partitionKeys": {"dt": "2026-11-23", "hour": "18"}},
            },
            {
                "recordId": firehose_batch["records"][1]["recordId"],
                "result": "ProcessingFailed",
            },
        ]
    }
    assert imported == []
    assert [entry.get("error") for entry in log] == ["ValueError at transform_module.py:3", None]


@pytest.mark.parametrize(
    "settings", [{"time_keys": ["hour"], "time_zone": "UTC"}, {"time_keys": []}]
)
def test_the_archive_holds_a_zone_only_for_time_keys_outside_utc(archive, settings, firehose_batch):
    shutil.rmtree(archive / "zoneinfo")
    written = json.loads((archive / "transform.json").read_text())
    (archive / "transform.json").write_text(json.dumps(written | settings))
    firehose_batch["records"] = firehose_records(line(1))
    response, _, _ = run(archive, firehose_batch)
    assert [record["result"] for record in response["records"]] == ["Ok"]


def test_the_handlers_import_without_the_rest_of_the_archive(archive):
    for name in ("transform_module.py", "transform.json"):
        (archive / name).unlink()
    code = "import streaming_etl.handlers.forwarder, streaming_etl.handlers.transform"
    subprocess.run([sys.executable, "-c", code], cwd=archive, check=True)
