"""Inputs in boto3's spelling, and archives as zip files."""

import io
import zipfile
from pathlib import Path

import pulumi

from local.deploy.inputs import Inputs, pascal_case, zipped


def test_capitalizes_keys_but_not_those_below_parameters() -> None:
    inputs = {"bucketArn": "a", "parameters": {"projection.enabled": "true"}, "rules": [{"id": 1}]}

    assert pascal_case(inputs, bucketArn="BucketARN") == {
        "BucketARN": "a",
        "Parameters": {"projection.enabled": "true"},
        "Rules": [{"Id": 1}],
    }


def test_integers_arrive_as_integers() -> None:
    inputs = Inputs("type", "name", {"days": 30.0, "share": 0.5, "rules": [{"days": 7.0}]})

    assert repr(inputs.remaining()) == repr({"Days": 30, "Share": 0.5, "Rules": [{"Days": 7}]})


def test_an_archive_becomes_the_same_zip_file_each_time(tmp_path: Path) -> None:
    (tmp_path / "file.py").write_text("pass\n")
    archive = pulumi.AssetArchive(
        {
            "handlers/file.py": pulumi.FileAsset(str(tmp_path / "file.py")),
            "nested": pulumi.AssetArchive({"transform.json": pulumi.StringAsset("{}")}),
        }
    )

    code = zipped(archive)

    with zipfile.ZipFile(io.BytesIO(code)) as file:
        contents = {name: file.read(name) for name in file.namelist()}
    assert contents == {"handlers/file.py": b"pass\n", "nested/transform.json": b"{}"}
    assert zipped(archive) == code
