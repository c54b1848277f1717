"""The wheel in a project that has folders with the checkout's names."""

import contextlib
import json
import os
import shutil
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest
from uv import find_uv_bin

from streaming_etl import PartitionArgs, StreamingEtlPipeline, StreamingEtlPipelineArgs
from streaming_etl.components.packaging.dependencies import Target, ensure_dependencies
from streaming_etl.stack.recorder import build
from tests.support.wheelhouse import tree
from tools.project import ROOT

FOLDERS = ("components", "handlers", "local", "ops", "stack")

TRANSFORM = """
from streaming_etl import Change

COLUMNS = {"id": "string"}

def transform(change: Change) -> object:
    return change.new
"""

PROGRAM = """
import pulumi
import components, handlers, local, ops, stack
from streaming_etl import PartitionArgs, StreamingEtlPipeline, StreamingEtlPipelineArgs

args = StreamingEtlPipelineArgs(
    table_name="orders", transform_module="transform.py", partitions=PartitionArgs()
)
orders = StreamingEtlPipeline("orders", args)
pulumi.export("view", orders.view)
pulumi.export("own", [components.OWN, handlers.OWN, local.OWN, ops.OWN, stack.OWN])
"""

RUN = """
import json, runpy, sys
from collections import defaultdict
from streaming_etl.stack.recorder import build
graph = build(lambda: runpy.run_path("__main__.py"))
names = defaultdict(list)
for name, module in list(sys.modules.items()):
    if "streaming_etl" in (getattr(module, "__file__", None) or ""):
        names[module.__file__].append(name)
print(json.dumps({
    "exports": graph.exports,
    "archives": sorted({node.inputs["code"]["archive"] for node in graph.of("Function")}),
    "two names": [each for each in names.values() if len(each) > 1],
    "modules": len(names),
    "package": sys.modules["streaming_etl"].__file__,
}))
"""

TYPED = """
from streaming_etl import Change, PartitionArgs
def transform(change: Change) -> object:
    return change.new and change.kind.lower()
PartitionArgs(granularity="day")
"""
WRONG = """
from streaming_etl import Change, PartitionArgs
def transform(change: Change) -> int:
    return change.kind + 1
PartitionArgs(granularity=7)
"""


@dataclass
class Installation:
    """A virtual environment with the wheel, and a project that uses it."""

    wheel: Path
    bin: Path
    project: Path

    def run(self, *command: str, **environment: str) -> str:
        done = subprocess.run(
            [str(self.bin / command[0]), *command[1:]],
            cwd=self.project,
            env={"PATH": os.environ["PATH"], "HOME": str(self.project), **environment},
            capture_output=True,
            text=True,
        )
        assert done.returncode == 0, done.stderr
        return done.stdout


def build_distribution(hook: str, source: Path, target: Path) -> Path:
    code = f"import hatchling.build as b, sys; print(b.{hook}(sys.argv[1]))"
    command = [sys.executable, "-c", code, str(target)]
    done = subprocess.run(command, cwd=source, capture_output=True, text=True, check=True)
    return target / done.stdout.split()[-1]


@pytest.fixture(scope="module")
def installation(tmp_path_factory: pytest.TempPathFactory) -> Installation:
    folder = tmp_path_factory.mktemp("library")
    wheel = build_distribution("build_wheel", ROOT, folder)
    environment = folder / "environment"
    venv.create(environment, symlinks=True)
    [packages] = environment.glob("lib/python*/site-packages")
    # The dependencies are those of the tests.
    (packages / "dependencies.pth").write_text(sysconfig.get_path("purelib") + "\n")
    python = environment / "bin" / "python"
    install = [find_uv_bin(), "pip", "install", "--quiet", "--offline", "--no-deps"]
    subprocess.run([*install, "--python", str(python), str(wheel)], check=True)

    project = folder / "project"
    for name in FOLDERS:
        (project / name).mkdir(parents=True)
        (project / name / "__init__.py").write_text(f"OWN = {name!r}\n")
    (project / "__main__.py").write_text(PROGRAM)
    (project / "transform.py").write_text(TRANSFORM)
    # What is installed for the checkout needs no download here: the folders have the same names.
    installed = ensure_dependencies(Target.lambda_("python3.13", "arm64"), None).forwarder.folder
    cache = folder / "cache" / "streaming-etl" / "dependencies"
    shutil.copytree(installed, cache / installed.name)
    return Installation(wheel, environment / "bin", project)


def test_the_wheel_contains_one_package_and_its_data(installation: Installation) -> None:
    with zipfile.ZipFile(installation.wheel) as wheel:
        names = set(wheel.namelist())
    info = "streaming_etl-0.1.0.dist-info"
    assert {name.split("/")[0] for name in names} == {"streaming_etl", info}
    sources = [path for name in ("components", "handlers", "ops", "stack") for path in python(name)]
    assert {name for name in names if name.endswith(".py")} == {
        "streaming_etl/__init__.py",
        "streaming_etl/__main__.py",
        *(f"streaming_etl/{path.relative_to(ROOT).as_posix()}" for path in sources),
    }
    assert {
        "streaming_etl/handlers/requirements.txt",
        "streaming_etl/ops/cost/prices.json",
        "streaming_etl/py.typed",
        f"{info}/licenses/LICENSE",
    } <= names


def python(folder: str) -> list[Path]:
    return list((ROOT / folder).rglob("*.py"))


def test_the_source_distribution_builds_the_same_wheel(
    installation: Installation, tmp_path: Path
) -> None:
    source = build_distribution("build_sdist", ROOT, tmp_path)
    with tarfile.open(source) as archive:
        archive.extractall(tmp_path, filter="data")
    [unpacked] = tmp_path.glob("streaming_etl-*/")
    wheel = build_distribution("build_wheel", unpacked, tmp_path)
    with zipfile.ZipFile(wheel) as built, zipfile.ZipFile(installation.wheel) as first:
        assert built.namelist() == first.namelist()
        assert [built.read(name) for name in built.namelist()] == [
            first.read(name) for name in first.namelist()
        ]


def test_a_project_with_the_same_folder_names_creates_a_pipeline(
    installation: Installation, tmp_path: Path
) -> None:
    cache = installation.project.parent / "cache"
    output = installation.run("python", "-c", RUN, XDG_CACHE_HOME=str(cache), UV_OFFLINE="1")
    result = json.loads(output.splitlines()[-1])
    assert result["exports"] == {"view": "orders_current", "own": list(FOLDERS)}
    assert result["two names"] == []
    assert result["modules"] > 40
    assert Path(result["package"]).is_relative_to(installation.bin.parent)
    # Nothing is written to the installed package.
    before = {f"streaming_etl/{path.relative_to(ROOT).as_posix()}" for path in python("components")}
    site_packages = next(installation.bin.parent.glob("lib/python*/site-packages"))
    written = {path for path in tree(site_packages) if path.startswith("streaming_etl/components/")}
    assert {path for path in written if "__pycache__" not in path} == before

    shutil.copy(installation.project / "transform.py", tmp_path)
    with contextlib.chdir(tmp_path):
        build(checkout_program)
    in_checkout = {path.name: path.read_bytes() for path in tmp_path.glob(".build/archives/*.zip")}
    in_project = {Path(path).name: Path(path).read_bytes() for path in result["archives"]}
    assert in_project == in_checkout


def checkout_program() -> None:
    args = StreamingEtlPipelineArgs(
        table_name="orders", transform_module="transform.py", partitions=PartitionArgs()
    )
    StreamingEtlPipeline("orders", args)


@pytest.mark.parametrize("statement", ["import streaming_etl", "from streaming_etl import Change"])
def test_an_import_of_a_transform_loads_no_package_of_the_deployment(
    installation: Installation, statement: str
) -> None:
    code = f"import sys; {statement}; print(*{{name.split('.')[0] for name in sys.modules}})"
    tops = set(installation.run("python", "-I", "-c", code).split())
    assert "streaming_etl" in tops
    assert tops & {"boto3", "botocore", "click", "pulumi", "pulumi_aws", "rich", "uv"} == set()


def test_the_commands_run(installation: Installation) -> None:
    for command in (["streaming-etl"], ["python", "-m", "streaming_etl"]):
        assert installation.run(*command, "--help").startswith("Usage: streaming-etl ")
    (installation.project / "item.json").write_text('{"id": "o-1"}')
    output = installation.run("streaming-etl", "test-transform", "transform.py", "item.json")
    assert "o-1" in output


def test_mypy_sees_the_types(installation: Installation) -> None:
    # Minutes faster: the types of the AWS provider are not what is tested.
    config = "[mypy]\n[mypy-pulumi_aws.*]\nfollow_imports = skip\n"
    for name, text in {"typed.py": TYPED, "wrong.py": WRONG, "mypy.ini": config}.items():
        (installation.project / name).write_text(text)
    python = str(installation.bin / "python")
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--python-executable", python, "typed.py", "wrong.py"],
        cwd=installation.project,
        capture_output=True,
        text=True,
    )
    errors = [line.split(": error")[0] for line in done.stdout.splitlines()[:-1]]
    assert errors == ["wrong.py:4", "wrong.py:5"]
