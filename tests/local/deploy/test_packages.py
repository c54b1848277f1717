"""Functions on the embedded AWS import packages built for this Python."""

import importlib.machinery
import json
import textwrap
from pathlib import Path

import pytest

from local.deploy.deploy import deploy
from streaming_etl.stack.clients import Clients
from streaming_etl.stack.config import StackConfig
from tests.support.wheelhouse import CARRIED

SUFFIX = importlib.machinery.EXTENSION_SUFFIXES[0]

PROGRAM = """
from pathlib import Path
import pulumi
import pulumi_aws as aws
from streaming_etl.components.packaging.archive import transform_archive
from streaming_etl.components.packaging.dependencies import Target, ensure_dependencies

Path("main.py").write_text('''
import msgspec, orjson, pybase64

def lambda_handler(event, context):
    text = pybase64.b64encode(msgspec.json.encode(orjson.loads(orjson.dumps(event)))).decode()
    modules = msgspec._core, orjson.orjson, pybase64._pybase64
    return [text, *(module.__file__ for module in modules)]
''')
packages = ensure_dependencies(Target.lambda_("python3.13", "arm64"), None)
function = aws.lambda_.Function(
    "function",
    code=transform_archive(packages.transform, {"main.py": Path("main.py")}, {}, None),
    handler="transform_module.main.lambda_handler",
    runtime="python3.13",
    architectures=["arm64"],
    role="arn:aws:iam::000000000000:role/any",
)
pulumi.export("function", function.name)
"""


@pytest.mark.e2e
def test_a_deployed_function_runs_with_packages_for_this_python(
    aws: Clients, tmp_path: Path
) -> None:
    (tmp_path / "__main__.py").write_text(textwrap.dedent(PROGRAM))
    name = deploy(tmp_path, StackConfig("project", "dev", {}), aws).outputs["function"]

    response = aws("lambda").invoke(FunctionName=name, Payload=json.dumps({"id": 1}))
    text, *extensions = json.loads(response["Payload"].read())

    assert text == "eyJpZCI6MX0="
    expected = {f"{module}{SUFFIX}" for module in CARRIED.values()}
    assert {"/".join(Path(path).parts[-2:]) for path in extensions} == expected
    # From its own archive, not from this Python's packages.
    assert not any("site-packages" in path for path in extensions)
