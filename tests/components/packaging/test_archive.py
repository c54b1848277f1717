"""Content, bytes and behaviour of the Lambda archives."""

import base64
import json
import os
import shutil
import subprocess
import sys
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from streaming_etl import PartitionArgs, StreamingEtlPipeline, TransformArgs
from streaming_etl.components.packaging import archive, dependencies
from streaming_etl.components.packaging.archive import forwarder_archive, transform_archive
from streaming_etl.components.packaging.dependencies import (
    LIMITS,
    RESERVED,
    Dependencies,
    Target,
    ensure_dependencies,
    install_for,
)
from streaming_etl.components.settings.pipeline import (
    ARCHITECTURES,
    NO_WHEEL,
    RUNTIMES,
)
from streaming_etl.components.table.column_types import METADATA
from streaming_etl.stack.recorder import Graph, archive_files, build
from tests.support.functions import rows_of, run_transform
from tests.support.pipelines import ROOT, Pipelines, dev_stack
from tests.support.problems import problems_of
from tests.support.transform_package import FAILS_AT, FILES, write_package
from tests.support.wheelhouse import CARRIED

HANDLERS = {
    "streaming_etl/__init__.py",
    *(f"streaming_etl/{path.relative_to(ROOT)}" for path in (ROOT / "handlers").rglob("*.py")),
}

# 2026-11-23 20:00 UTC, which is the next day in Tokyo.
CHANGED_AT = 1_795_464_000
KEYS = {"id": {"S": "a"}}


@pytest.fixture
def installed() -> Dependencies:
    return ensure_dependencies(Target.lambda_("python3.13", "arm64"), None).forwarder


def change(image: Mapping[str, Any], number: int = 1) -> str:
    """A change as the forwarder sends it."""
    line = {
        "eventID": f"event-{number}",
        "eventName": "INSERT",
        "dynamodb": {
            "ApproximateCreationDateTime": CHANGED_AT,
            "Keys": KEYS,
            "NewImage": {**KEYS, **image},
            "SequenceNumber": str(number),
        },
    }
    return base64.b64encode(json.dumps(line).encode() + b"\n").decode()


@pytest.fixture
def local_build(tmp_path: Path) -> Any:
    """Builds a pipeline whose functions run in this Python."""

    def build(**settings: Any) -> Graph:
        with install_for(Target.host()):
            return Pipelines(tmp_path / "modules").build(**settings)

    return build


def test_an_archive_holds_handlers_dependencies_and_the_functions_own_files() -> None:
    graph = dev_stack()
    modules = {
        "orders-forwarder": None,
        "orders-transform": "orders.py",
        "shipments-forwarder": None,
        "shipments-transform": "shipments.py",
        "shop-forwarder": None,
        "shop-orders-transform": "shop_orders.py",
        # Columns only.
        "shop-customers-transform": None,
        "shop-leads-transform": "shop_leads.py",
    }
    for name, module in modules.items():
        files = archive_files(graph[f"{name}-function"].inputs["code"])
        reserved = {path for path in files if RESERVED.fullmatch(path.split("/")[0])}
        own = {"forwarder.json" if name.endswith("forwarder") else "transform.json"}
        assert reserved == HANDLERS | own | ({f"transform_module/{module}"} if module else set())
        extensions = {path for path in files if path.endswith(".so")}
        assert extensions == {
            f"{carried}.cpython-313-aarch64-linux-gnu.so" for carried in CARRIED.values()
        }
        assert not [path for path in files if "__pycache__" in path]
        if module:
            assert (
                files[f"transform_module/{module}"] == (ROOT / "transforms" / module).read_bytes()
            )
    assert len(modules) == len(list(graph.of("Function")))


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("runtime", RUNTIMES)
def test_the_handlers_packages_exist_for_every_runtime(runtime: str, architecture: str) -> None:
    machine = {"arm64": "aarch64", "x86_64": "x86_64"}[architecture]
    version = runtime.removeprefix("python").replace(".", "")
    installed = ensure_dependencies(Target.lambda_(runtime, architecture), None).forwarder
    extensions = {path for path in installed.files if path.endswith(".so")}
    assert extensions == {
        f"{module}.cpython-{version}-{machine}-linux-gnu.so" for module in CARRIED.values()
    }
    # The processor in the ELF header.
    headers = {installed.read(path)[18:20] for path in extensions}
    assert headers == {b"\xb7\0" if machine == "aarch64" else b"\x3e\0"}


@pytest.mark.parametrize("architecture", ARCHITECTURES)
@pytest.mark.parametrize("runtime", NO_WHEEL)
def test_the_handlers_packages_do_not_exist_for_other_runtimes(
    runtime: str, architecture: str
) -> None:
    # When this fails, a package has wheels for the runtime: accept it.
    target = Target.lambda_(runtime, architecture)
    [problem] = problems_of(ensure_dependencies, target, None)
    assert problem.rule == "packages-not-installable"


def make(folder: Path, installed: Dependencies, monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Write both archives of a program in `folder`."""
    folder.mkdir()
    monkeypatch.chdir(folder)
    (folder / "module.py").write_text("def transform(change): ...\n")
    archives = [
        forwarder_archive(installed, {"routes": []}),
        transform_archive(
            installed, {"module.py": Path("module.py")}, {"format": "json"}, "Asia/Tokyo"
        ),
    ]
    # Recorded by Pulumi: relative, so that it is the same on every machine.
    assert [os.path.dirname(code.path) for code in archives] == [".build/archives"] * 2
    return [folder / code.path for code in archives]


def test_two_builds_in_two_folders_produce_the_same_bytes(
    installed: Dependencies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = make(tmp_path / "first", installed, monkeypatch)
    other = shutil.copytree(ROOT / "handlers", tmp_path / "handlers")
    for path in other.rglob("*.py"):
        os.utime(path, (1, 1))
        path.chmod(0o600)
    (other / "__pycache__").mkdir(exist_ok=True)
    (other / "__pycache__" / "more.pyc").write_bytes(b"bytecode")
    monkeypatch.setattr(archive, "HANDLERS", other)
    archive.handler_files.cache_clear()
    monkeypatch.setattr(dependencies, "cache_folder", lambda: tmp_path / "cache")
    again = ensure_dependencies(Target.lambda_("python3.13", "arm64"), None).forwarder
    second = make(tmp_path / "second", again, monkeypatch)
    assert [path.name for path in first] == [path.name for path in second]
    assert [path.read_bytes() for path in first] == [path.read_bytes() for path in second]

    (other / "transform.py").write_text("# Changed.\n")
    archive.handler_files.cache_clear()
    third = make(tmp_path / "third", again, monkeypatch)
    archive.handler_files.cache_clear()
    assert not {path.name for path in third} & {path.name for path in first}
    assert not {path.read_bytes() for path in third} & {path.read_bytes() for path in first}


def test_entries_have_a_fixed_order_time_mode_and_no_compression(
    installed: Dependencies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for path in make(tmp_path / "it", installed, monkeypatch):
        with zipfile.ZipFile(path) as code:
            entries = code.infolist()
        assert [entry.filename for entry in entries] == sorted(entry.filename for entry in entries)
        attributes = {
            (entry.date_time, entry.external_attr >> 16, entry.create_system, entry.compress_type)
            for entry in entries
        }
        assert attributes == {((1980, 1, 1, 0, 0, 0), 0o100644, 3, zipfile.ZIP_STORED)}


def test_an_archive_near_lambdas_limit_is_compressed(
    installed: Dependencies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(LIMITS, "zipped", 2**20)
    for path in make(tmp_path / "it", installed, monkeypatch):
        assert path.stat().st_size < sum(file.unzipped for file in installed.files.values())


def test_an_archive_is_written_once(
    installed: Dependencies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    paths = make(tmp_path / "it", installed, monkeypatch)
    before = [path.stat().st_ino for path in paths]
    forwarder_archive(installed, {"routes": []})
    assert [path.stat().st_ino for path in paths] == before
    assert sorted(path.name for path in paths[0].parent.iterdir()) == sorted(
        [".gitignore", *(path.name for path in paths)]
    )


def test_an_archive_that_cannot_be_written_is_reported(
    installed: Dependencies, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / ".build").write_text("")
    [problem] = problems_of(forwarder_archive, installed, {})
    assert (problem.rule, problem.value) == ("not-writable", str(tmp_path / ".build" / "archives"))


def columns(graph: Graph, table: str) -> list[str]:
    return [column["name"] for column in graph[table].inputs["storageDescriptor"]["columns"]]


def test_a_csv_row_has_the_glue_tables_columns_in_order(local_build: Any, tmp_path: Path) -> None:
    graph = local_build(module=(ROOT / "transforms/orders.py").read_text(), format="csv")
    order = {
        name: {"S": name if name.endswith("id") else "2020-12-16T09:30:00"}
        for name in ("user_id", "store_id", "created", "updated_at")
    }
    [record], _ = run_transform(graph["shop-transform-function"], tmp_path, change(order))
    assert rows_of(record) == (
        '"INSERT","{""id"":{""S"":""a""}}",0,"event-1","","1",2026-11-23 20:00:00,'
        '"a","user_id","store_id",2020-12-16 09:30:00,2020-12-16 09:30:00\n'
    )
    assert columns(graph, "shop-catalog-table") == [
        "_op",
        "_key",
        "_row",
        "_event_id",
        "_stream_epoch",
        "_sequence_number",
        "_changed_at",
        "id",
        "user_id",
        "store_id",
        "created",
        "updated_at",
    ]


def test_a_json_row_ends_with_the_metadata_of_the_glue_table(
    local_build: Any, tmp_path: Path
) -> None:
    function = local_build()["shop-transform-function"]
    [record], _ = run_transform(function, tmp_path, change({"total": {"N": "1"}}))
    row = json.loads(rows_of(record))
    assert [*row][-len(METADATA) :] == [column.name for column in METADATA]
    # Numbers where a number is declared, text elsewhere.
    kinds = {"string": str, "timestamp": str, "int": int}
    assert all(type(row[column.name]) is kinds[column.type] for column in METADATA)


def test_a_rows_partition_keys_are_those_of_the_delivery_prefix(
    local_build: Any, tmp_path: Path
) -> None:
    graph = local_build(
        module="COLUMNS = {'id': 'string'}\n\n\n"
        "def transform(change):\n    return {'id': 'a', 'kind': 'x'}\n",
        partitions=PartitionArgs(
            dynamic_partition_keys={"kind": []},
            partition_time="event",
            time_zone="Asia/Tokyo",
            layout="date",
            granularity="hour",
        ),
    )
    function = graph["shop-transform-function"]
    assert "zoneinfo/Asia/Tokyo" in archive_files(function.inputs["code"])
    [record], _ = run_transform(function, tmp_path, change({}))
    assert record["metadata"]["partitionKeys"] == {"kind": "x", "dt": "2026-11-24", "hour": "05"}
    assert graph["shop-delivery-stream"].inputs["extendedS3Configuration"]["prefix"] == (
        "data/shop_test/orders/kind=!{partitionKeyFromLambda:kind}/"
        "dt=!{partitionKeyFromLambda:dt}/hour=!{partitionKeyFromLambda:hour}/"
        "arrived-!{timestamp:yyyy-MM-dd}-"
    )


@pytest.mark.parametrize(
    "partitions",
    [
        PartitionArgs(time_zone="Asia/Tokyo"),
        PartitionArgs(partition_time="event", time_zone="UTC"),
    ],
    ids=["ingestion time", "UTC"],
)
def test_an_archive_has_a_time_zone_only_for_event_time_outside_utc(
    local_build: Any, partitions: PartitionArgs, tmp_path: Path
) -> None:
    function = local_build(partitions=partitions)["shop-transform-function"]
    files = archive_files(function.inputs["code"])
    assert [path for path in files if path.startswith("zoneinfo/")] == []
    [record], _ = run_transform(function, tmp_path, change({"total": {"N": "1"}}))
    assert record["result"] == "Ok"


def test_a_transform_imports_its_packages_and_fails_for_one_change_alone(
    local_build: Any, tmp_path: Path
) -> None:
    graph = local_build(
        module="import iniconfig\nfrom streaming_etl import Change\n\n\n"
        "def transform(change: Change):\n    assert iniconfig and 'fail' not in change.new\n"
        "    return []\n",
        transform=TransformArgs(requirements=str(Path(__file__).with_name("iniconfig.txt"))),
        catalog="crawler",
    )
    good, bad = change({}), change({"fail": {"S": "private"}}, number=2)
    records, logged = run_transform(graph["shop-transform-function"], tmp_path, good, bad)
    assert [record["result"] for record in records] == ["Dropped", "ProcessingFailed"]
    [failed] = [line for line in logged if line.get("event_id") == "event-2"]
    assert failed["message"] == "change failed"
    assert [line["ChangesFailed"] for line in logged if "ChangesFailed" in line] == [1]
    assert "private" not in json.dumps(logged)


def test_a_transform_of_several_files_runs_in_its_archive(local_build: Any, tmp_path: Path) -> None:
    path = write_package(tmp_path)
    function = local_build(transform_module=path)["shop-transform-function"]
    files = archive_files(function.inputs["code"])
    own = {name: data for name, data in files.items() if name.startswith("transform_module/")}
    assert own == {
        name.replace("transforms", "transform_module", 1): text.encode()
        for name, text in FILES.items()
    }
    (tmp_path / "function").mkdir()
    good, bad = change({"total": {"N": "2"}}), change({}, number=2)
    [row, failed], logged = run_transform(function, tmp_path / "function", good, bad)
    values = json.loads(rows_of(row))
    assert [values["id"], values["city"], values["cents"]] == ["a", "Oita", 200]
    assert failed["result"] == "ProcessingFailed"
    [line] = [line for line in logged if line.get("event_id") == "event-2"]
    assert line["error"] == f"TypeError at {FAILS_AT}"


def test_a_change_of_a_shared_file_changes_the_archive(tmp_path: Path) -> None:
    path = write_package(tmp_path)

    def archive_path() -> str:
        built = build(
            lambda: StreamingEtlPipeline("shop", Pipelines(tmp_path).args(transform_module=path))
        )
        return str(built["shop-transform-function"].inputs["code"])

    before = archive_path()
    assert archive_path() == before
    (tmp_path / "transforms/shared/cities.txt").write_text("Beppu")
    assert archive_path() != before


def test_an_archive_without_transform_has_no_code_of_the_user(
    local_build: Any, tmp_path: Path
) -> None:
    columns = "{'id': 'string', 'price': {'type': 'int', 'path': 'lines[0].price'}}"
    graph = local_build(
        module=f"import not_installed\n\nCOLUMNS = {columns}\n",
        partitions=PartitionArgs(dynamic_partition_keys={"kind": ["x"]}),
    )
    function = graph["shop-transform-function"]
    files = archive_files(function.inputs["code"])
    assert not [path for path in files if path.startswith("transform_module")]
    image = {"lines": {"L": [{"M": {"price": {"N": "7"}}}]}, "kind": {"S": "x"}}
    [record], _ = run_transform(function, tmp_path, change(image))
    row = json.loads(rows_of(record))
    assert [row["id"], row["price"], "kind" in row] == ["a", 7, False]
    assert record["metadata"]["partitionKeys"] == {"kind": "x"}


def test_the_handlers_import_without_transform_module_and_config(tmp_path: Path) -> None:
    for path, data in archive.handler_files().items():
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_bytes(data)
    modules = ", ".join(
        f"streaming_etl.handlers.{name}" for name in ("forwarder", "transform", "backfill")
    )
    subprocess.run([sys.executable, "-c", f"import {modules}"], cwd=tmp_path, check=True)
