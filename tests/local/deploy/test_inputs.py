"""Inputs in boto3's spelling, and archives as zip files."""

from pathlib import Path

import pulumi
import pytest

from local.deploy.inputs import Inputs, pascal_case, zipped
from streaming_etl.stack.errors import CommandError


def test_capitalizes_keys_but_not_those_below_parameters() -> None:
    inputs = {"bucketArn": "a", "parameters": {"projection.enabled": "true"}, "rules": [{"id": 1}]}

    assert pascal_case(inputs, bucketArn="BucketARN") == {
        "BucketARN": "a",
        "Parameters": {"projection.enabled": "true"},
        "Rules": [{"Id": 1}],
    }


def test_integers_remain_integers() -> None:
    inputs = Inputs("type", "name", {"days": 30.0, "share": 0.5, "rules": [{"days": 7.0}]})

    assert repr(inputs.remaining()) == repr({"Days": 30, "Share": 0.5, "Rules": [{"Days": 7}]})


def test_the_code_is_the_zip_file_of_the_component(tmp_path: Path) -> None:
    (tmp_path / "code.zip").write_bytes(b"zip")
    assert zipped(pulumi.FileArchive(str(tmp_path / "code.zip"))) == b"zip"
    with pytest.raises(CommandError) as error:
        zipped(pulumi.AssetArchive({}))
    assert error.value.code == "unsupported-archive"
