"""What each function carries; a wheel that cannot be had is refused by name.

Each message is compared whole, and comes before any resource exists.
"""

import json
import sys
import tarfile
from pathlib import Path
from typing import Any

import pytest

from streaming_etl import SettingsError, TransformArgs
from streaming_etl.components.packaging import fetch, wheels
from streaming_etl.components.packaging.fetch import lambda_target
from streaming_etl.components.packaging.pins import read_pins
from streaming_etl.components.packaging.wheels import unpacked
from streaming_etl.stack.program import program_graph
from streaming_etl.stack.recorder import Graph
from tests.components.differences import is_of_a_wheel
from tests.components.pipelines import Pipelines
from tests.components.wheelhouse import Wheelhouse


def requirements(path: Path) -> dict[str, Any]:
    return {"transform": TransformArgs(requirements=str(path))}


def carried(graph: Graph, function: str) -> set[str]:
    code = graph[f"shop-{function}-function"].inputs["code"]
    return {name for name, asset in code.items() if is_of_a_wheel(asset)}


def wheel_of(name: str) -> set[str]:
    info = f"{name}-1.0.dist-info"
    return {f"{name}.py", f"{info}/METADATA", f"{info}/RECORD", f"{info}/WHEEL"}


def test_a_transforms_own_packages_go_into_its_archive_only(
    core_pipelines: Pipelines, wheelhouse: Wheelhouse
) -> None:
    core, extra = wheelhouse.wheel("core"), wheelhouse.wheel("extra")
    lines = wheelhouse.line("extra", extra), wheelhouse.line("core", core)
    graph = core_pipelines.build(**requirements(wheelhouse.lock(*lines)))
    assert carried(graph, "forwarder") == wheel_of("core")
    assert carried(graph, "transform") == wheel_of("core") | wheel_of("extra")


def test_the_path_of_a_lock_file_begins_in_the_programs_folder(
    core_pipelines: Pipelines,
    wheelhouse: Wheelhouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    extra = wheelhouse.line("extra", wheelhouse.wheel("extra"))
    wheelhouse.lock(extra, name="shop.txt")
    monkeypatch.chdir(tmp_path)
    graph = core_pipelines.build(transform=TransformArgs(requirements="shop.txt"))
    assert carried(graph, "transform") == wheel_of("core") | wheel_of("extra")


def test_a_marker_is_asked_of_the_functions_python_by_pip_too(wheelhouse: Wheelhouse) -> None:
    here = f"{sys.version_info.major}.{sys.version_info.minor}"
    runtime = "python3.14" if here != "3.14" else "python3.13"
    then, now = wheelhouse.wheel("then"), wheelhouse.wheel("now")
    lines = (
        wheelhouse.line("then", then, marker=f" ; python_version == '{here}'"),
        wheelhouse.line("now", now, marker=f" ; python_version != '{here}'"),
    )
    pins = read_pins(wheelhouse.lock(*lines), "it")
    assert set(unpacked(pins, lambda_target(runtime, "arm64")).files) == wheel_of("now")


@pytest.mark.parametrize(
    ("runtime", "architecture", "chosen"),
    [
        # Amazon Linux 2 has glibc 2.26, Amazon Linux 2023 has 2.34.
        ("python3.11", "x86_64", "cp311-cp311-manylinux_2_17_x86_64"),
        ("python3.12", "x86_64", "cp311-abi3-manylinux_2_34_x86_64"),
        ("python3.13", "x86_64", "cp313-cp313-manylinux_2_28_x86_64"),
        ("python3.13", "arm64", "cp311-abi3-manylinux2014_aarch64"),
        ("python3.14", "arm64", "cp311-abi3-manylinux2014_aarch64"),
    ],
)
def test_among_several_wheels_the_nearest_to_the_function_is_carried(
    wheelhouse: Wheelhouse, runtime: str, architecture: str, chosen: str
) -> None:
    tags = (
        *("cp311-cp311-manylinux_2_17_x86_64", "cp311-cp311-manylinux_2_28_x86_64"),
        *("cp313-cp313-manylinux_2_17_x86_64", "cp313-cp313-manylinux_2_28_x86_64"),
        *("cp313-cp313-manylinux_2_35_x86_64", "cp313-cp313t-manylinux_2_28_x86_64"),
        *("cp311-abi3-manylinux_2_34_x86_64", "cp311-abi3-manylinux_2_5_x86_64"),
        *("cp311-abi3-manylinux2014_aarch64", "cp313-cp313-musllinux_1_2_aarch64"),
        *("cp313-cp313-macosx_11_0_arm64", "cp313-cp313-win_amd64", "py3-none-any"),
    )
    many = [wheelhouse.wheel("many", tag=tag) for tag in tags]
    pins = read_pins(wheelhouse.lock(wheelhouse.line("many", *many)), "it")
    found = unpacked(pins, lambda_target(runtime, architecture)).files
    assert found["many.py"].read_text() == chosen


def test_pip_is_told_the_functions_python_in_full() -> None:
    """Also its ABI: pip would take that of the Python it runs on, perhaps a debug build's."""
    options = lambda_target("python3.11", "arm64").options
    assert options[:6] == ("--implementation", "cp", "--python-version", "3.11", "--abi", "cp311")
    assert list(options[7::2]) == [
        *(f"manylinux_2_{minor}_aarch64" for minor in range(26, 4, -1)),
        *("manylinux2014_aarch64", "manylinux2010_aarch64", "manylinux1_aarch64"),
    ]
    assert set(options[6::2]) == {"--platform"}


NO_WHEEL = (
    "has no wheel for {on} that pip could find, and nothing is built here; use a version with a"
    " wheel, or another runtime or architecture."
)


def test_a_package_without_a_wheel_for_the_processor_is_refused(
    core_pipelines: Pipelines, wheelhouse: Wheelhouse
) -> None:
    built = wheelhouse.wheel("fast", tag="cp313-cp313-manylinux2014_x86_64")
    lock = wheelhouse.lock(wheelhouse.line("fast", built))
    assert core_pipelines.refusal(**requirements(lock)) == (
        f"requirements={str(lock)!r}: fast==1.0 {NO_WHEEL.format(on='python3.13 on arm64')}"
    )
    assert core_pipelines.refusal(
        **requirements(lock), runtime="python3.12", architecture="x86_64"
    ) == (f"requirements={str(lock)!r}: fast==1.0 {NO_WHEEL.format(on='python3.12 on x86_64')}")
    assert core_pipelines.build(**requirements(lock), architecture="x86_64")


def test_a_package_that_comes_only_as_source_is_refused(
    core_pipelines: Pipelines, wheelhouse: Wheelhouse
) -> None:
    source = wheelhouse.folder / "slow-1.0.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        archive.add(__file__, "slow-1.0/setup.py")
    lock = wheelhouse.lock(wheelhouse.line("slow", source))
    assert core_pipelines.refusal(**requirements(lock)) == (
        f"requirements={str(lock)!r}: slow==1.0 {NO_WHEEL.format(on='python3.13 on arm64')}"
    )


def test_a_missing_wheel_of_the_handlers_is_refused_by_their_own_lock(
    core_pipelines: Pipelines, wheelhouse: Wheelhouse
) -> None:
    (wheelhouse.folder / "core-1.0-py3-none-any.whl").unlink()
    assert core_pipelines.refusal() == (
        f"handlers/requirements.txt: core==1.0 {NO_WHEEL.format(on='python3.13 on arm64')}"
    )


def test_a_wheel_that_is_not_the_locked_one_is_refused(
    core_pipelines: Pipelines, wheelhouse: Wheelhouse
) -> None:
    lock = wheelhouse.lock(wheelhouse.line("extra", wheelhouse.wheel("extra")))
    wheelhouse.wheel("extra", {"extra.py": "tampered with"})
    assert core_pipelines.refusal(**requirements(lock)) == (
        f"requirements={str(lock)!r}: extra==1.0 has a wheel for python3.13 on arm64 that is none"
        " of those locked; lock the file again, for every platform."
    )
    assert list(wheels.BUILD.iterdir()) == []


def test_a_second_tables_missing_wheel_keeps_the_first_from_being_built(
    core_pipelines: Pipelines, wheelhouse: Wheelhouse
) -> None:
    built = wheelhouse.wheel("fast", tag="cp313-cp313-manylinux2014_x86_64")
    lock = str(wheelhouse.lock(wheelhouse.line("fast", built)))
    first = {"table_name": "orders", "transform_module": core_pipelines.module(), "partitions": {}}
    second = {**first, "table_name": "items", "transform": {"requirements": lock}}
    graph = Graph()
    tables = json.dumps({"first": first, "second": second})
    with pytest.raises(SettingsError) as refused:
        program_graph({"streaming-etl:tables": tables}, into=graph)
    assert graph.nodes == []
    assert str(refused.value) == (
        f"tables.second: requirements={lock!r}: fast==1.0"
        f" {NO_WHEEL.format(on='python3.13 on arm64')}"
    )


def test_without_a_network_the_packages_are_told_and_no_address(
    core_pipelines: Pipelines, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("PIP_NO_INDEX")
    monkeypatch.delenv("PIP_FIND_LINKS")
    monkeypatch.setenv("PIP_INDEX_URL", "http://me:secret@127.0.0.1:9/simple")
    monkeypatch.setenv("PIP_RETRIES", "1")
    assert core_pipelines.refusal() == (
        "handlers/requirements.txt: core==1.0 cannot be fetched for python3.13 on arm64: pip"
        " reaches no package index; see to the network or to pip's configuration."
    )


# What stands in for this Python: what comes of it.
PYTHONS = {
    # No site-packages, and so no pip.
    f'exec "{sys.executable}" -I -S "$@"': (
        "this Python has no pip; run `python -m ensurepip` with it."
    ),
    "echo 'ERROR: HTTP error 500 while getting https://me:secret@host.invalid/a' >&2\nexit 1": (
        "pip says `HTTP error 500 while getting (an address)`; mend that and try again."
    ),
    "echo ERROR: first\necho \"ERROR: last of HTTPSConnectionPool(host='host.invalid')\"\nexit 1": (
        "pip says `last of HTTPSConnectionPool((an address))`; mend that and try again."
    ),
    "exit 3": "pip says `nothing`; mend that and try again.",
}


@pytest.mark.parametrize("script", PYTHONS, ids=lambda script: script.split()[-1])
def test_of_pips_failure_the_essence_is_told(
    core_pipelines: Pipelines,
    wheelhouse: Wheelhouse,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    script: str,
) -> None:
    python = tmp_path / "python"
    python.write_text(f"#!/bin/sh\n{script}\n")
    python.chmod(0o755)
    monkeypatch.setattr(fetch.sys, "executable", str(python))
    problem = f"cannot be fetched for python3.13 on arm64: {PYTHONS[script]}"
    assert core_pipelines.refusal() == f"handlers/requirements.txt: core==1.0 {problem}"
    # pip names no package here, so all of them are named.
    lock = wheelhouse.lock(wheelhouse.line("extra", wheelhouse.wheel("extra")))
    assert core_pipelines.refusal(**requirements(lock)) == (
        f"requirements={str(lock)!r}: core==1.0, extra==1.0 {problem}"
    )
