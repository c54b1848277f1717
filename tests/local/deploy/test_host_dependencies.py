"""Functions of the embedded AWS run in this Python, with its wheels."""

import importlib.machinery
import json
import textwrap
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import pulumi
import pytest

from local.deploy.deploy import deploy
from local.deploy.host_dependencies import on_this_machine
from local.deploy.inputs import files_of
from streaming_etl.components.packaging import wheels
from streaming_etl.components.packaging.fetch import Target, host_target
from streaming_etl.components.packaging.pins import Pin
from streaming_etl.components.packaging.wheels import BUILD, carried_packages
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from tests.components.wheelhouse import CARRIED

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]
HOST_MODULES = {f"{module}{SUFFIX}" for module in CARRIED.values()}

PROGRAM = """
import pulumi
import pulumi_aws as aws
from streaming_etl.components.packaging.archive import forwarder_archive
from streaming_etl.components.packaging.wheels import carried_packages

packages = carried_packages("python3.13", "arm64", None)
assets = dict(forwarder_archive(packages.forwarder).assets)
assets["main.py"] = pulumi.StringAsset('''
import msgspec, orjson, pybase64

def lambda_handler(event, context):
    text = pybase64.b64encode(msgspec.json.encode(orjson.loads(orjson.dumps(event)))).decode()
    modules = msgspec._core, orjson.orjson, pybase64._pybase64
    return [text, *(module.__file__ for module in modules)]
''')
function = aws.lambda_.Function(
    "function",
    code=pulumi.AssetArchive(assets),
    handler="main.lambda_handler",
    runtime="python3.13",
    architectures=["arm64"],
    role="arn:aws:iam::000000000000:role/any",
)
pulumi.export("function", function.name)
"""


@pytest.mark.e2e
def test_a_deployed_function_imports_this_machines_wheels(aws: Clients, tmp_path: Path) -> None:
    (tmp_path / "__main__.py").write_text(textwrap.dedent(PROGRAM))
    name = deploy(tmp_path, StackConfig("project", "dev", {}), aws)["function"]

    response = aws("lambda").invoke(FunctionName=name, Payload=json.dumps({"id": 1}))
    text, *extensions = json.loads(response["Payload"].read())

    assert text == "eyJpZCI6MX0="
    assert {"/".join(Path(path).parts[-2:]) for path in extensions} == HOST_MODULES
    # From its archive, not from this Python's packages.
    assert not any("site-packages" in path for path in extensions)


def test_replaces_only_the_wheels_of_an_archive() -> None:
    for_lambda = carried_packages("python3.14", "arm64", None).forwarder
    assets = {
        **{name: pulumi.FileAsset(str(path)) for name, path in for_lambda.items()},
        "handlers/log.py": pulumi.FileAsset(str(Path(__file__))),
        "transform.json": pulumi.StringAsset("{}"),
    }

    files = files_of(on_this_machine(pulumi.AssetArchive(assets)))

    assert {name for name in files if name.endswith(SUFFIX.rpartition(".")[2])} == HOST_MODULES
    assert files["handlers/log.py"] == Path(__file__).read_bytes()
    assert files["transform.json"] == b"{}"
    assert set(files) == {
        *(name for name in for_lambda if not name.endswith(".so")),
        *("handlers/log.py", "transform.json"),
        *HOST_MODULES,
    }


def test_an_archive_without_wheels_stays_unchanged() -> None:
    archive = pulumi.AssetArchive({"main.py": pulumi.StringAsset("pass\n")})
    assert files_of(on_this_machine(archive)) == {"main.py": b"pass\n"}


def test_functions_created_in_parallel_build_their_wheels_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for_lambda = carried_packages("python3.13", "arm64", None).forwarder
    copied = tmp_path / "wheels"
    folder = next(iter(for_lambda.values())).relative_to(BUILD).parts[0]
    built = []

    def fetch(pins: Sequence[Pin], target: Target, _: Path) -> dict[Path, Pin]:
        built.append((*(pin.name for pin in pins), target))
        time.sleep(0.1)
        return {}

    monkeypatch.setattr(wheels, "BUILD", copied)
    monkeypatch.setattr(wheels, "fetch", fetch)
    (copied / folder).mkdir(parents=True)
    lock = (BUILD / folder / "lock.txt").read_text()
    (copied / folder / "lock.txt").write_text(lock)
    archive = pulumi.AssetArchive({"a": pulumi.FileAsset(str(copied / folder / "files" / "a"))})
    threads = [threading.Thread(target=on_this_machine, args=(archive,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert built == [(*CARRIED, host_target())]
