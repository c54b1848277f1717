"""A wheel's files in an archive: none takes another's place, and together they fit into Lambda.

Each message is compared whole.
"""

from pathlib import Path

import pytest

from streaming_etl import PartitionArgs, SettingsError, TransformArgs
from streaming_etl.components.packaging import wheels
from streaming_etl.components.packaging.fetch import lambda_target
from streaming_etl.components.packaging.pins import Pin, read_pins
from streaming_etl.components.packaging.wheels import OWN, unpack, unpacked
from tests.components.differences import is_of_a_wheel
from tests.components.pipelines import Pipelines
from tests.components.wheelhouse import Wheelhouse, sha256, tree

INSTEAD = "an archive holds one file of a name; do without that package, or use another version."


def pin(name: str) -> Pin:
    source = f"requirements='{name}.txt'"
    return Pin(source=source, name=name, version="1.0", marker=None, hashes=())


def test_a_wheels_code_moves_up_and_its_scripts_stay_out(
    wheelhouse: Wheelhouse, tmp_path: Path
) -> None:
    data = "mixed-1.0.data"
    wheel = wheelhouse.wheel(
        "mixed",
        {
            "mixed/__init__.py": "plain",
            f"{data}/purelib/mixed/pure.py": "pure",
            f"{data}/platlib/mixed/fast.so": "fast",
            f"{data}/scripts/mixed": "#!python",
            f"{data}/headers/mixed.h": "header",
            f"{data}/data/share/mixed.txt": "data",
            "mixed/data/": "",
        },
    )
    entries = unpack({wheel: pin("mixed")}, tmp_path / "files")
    assert set(entries) == set(tree(tmp_path / "files"))
    assert {path for path in entries if "dist-info" not in path} == {
        *("mixed/__init__.py", "mixed/fast.so", "mixed/pure.py"),
    }


def test_a_files_sizes_are_those_of_the_wheel(wheelhouse: Wheelhouse, tmp_path: Path) -> None:
    wheel = wheelhouse.wheel("big", {"big.txt": "x" * 100_000})
    entry = unpack({wheel: pin("big")}, tmp_path / "files")["big.txt"]
    assert entry["sha256"] == sha256(tmp_path / "files" / "big.txt")
    assert entry["unzipped"] == 100_000
    assert 50 < entry["zipped"] < 1000


def test_two_wheels_that_bring_the_same_file_with_another_content_are_refused(
    core_pipelines: Pipelines, wheelhouse: Wheelhouse
) -> None:
    rude = wheelhouse.wheel("rude", {"core.py": "mine"})
    lock = wheelhouse.lock(wheelhouse.line("rude", rude))
    assert core_pipelines.refusal(transform=TransformArgs(requirements=str(lock))) == (
        f"requirements={str(lock)!r}: rude==1.0 brings core.py, which core==1.0 brings too, with"
        f" another content: {INSTEAD}"
    )


def test_two_wheels_may_bring_the_same_file(wheelhouse: Wheelhouse, tmp_path: Path) -> None:
    made = {
        wheelhouse.wheel(name, {"space/__init__.py": "", f"space/{name}.py": name}): pin(name)
        for name in ("one", "two")
    }
    entries = unpack(made, tmp_path / "files")
    assert {"space/__init__.py", "space/one.py", "space/two.py"} < set(entries)


OURS = (
    *("streaming_etl/a.py", "streaming_etl.py", "streaming_etl.cpython-313-x86_64-linux-gnu.so"),
    *("transform_module.py", "transform_module/__init__.py", "transform.json"),
    *("zoneinfo/Asia/Tokyo", "rude-1.0.data/purelib/streaming_etl/more.py"),
)
OUTSIDE = ("../rude.py", "rude/../../rude.py", "/rude.py")


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        *((path, "lies where this project's own files lie") for path in OURS),
        *((path, "lies outside the archive") for path in OUTSIDE),
    ],
)
def test_a_file_where_it_must_not_lie_is_refused(
    wheelhouse: Wheelhouse, tmp_path: Path, path: str, problem: str
) -> None:
    wheel = wheelhouse.wheel("rude", {path: "mine"})
    with pytest.raises(SettingsError) as refused:
        unpack({wheel: pin("rude")}, tmp_path / "files")
    assert str(refused.value) == (
        f"requirements='rude.txt': rude==1.0 brings {path.removeprefix('rude-1.0.data/purelib/')},"
        f" which {problem}: {INSTEAD}"
    )
    assert not (tmp_path / "files").exists()


@pytest.mark.parametrize(
    "path",
    [
        "streaming_etl_of/a.py",
        "my/streaming_etl/a.py",
        "pipeline/a.py",
        "zoneinfos/a",
        "streaming_etl-1/a",
    ],
)
def test_a_file_beside_our_own_is_carried(
    wheelhouse: Wheelhouse, tmp_path: Path, path: str
) -> None:
    wheel = wheelhouse.wheel("polite", {path: "mine"})
    assert path in unpack({wheel: pin("polite")}, tmp_path / "files")


def test_all_that_archives_hold_beside_wheels_is_kept_free_of_them(
    core_pipelines: Pipelines,
) -> None:
    by_change = PartitionArgs(partition_time="event", time_zone="Asia/Tokyo")
    graph = core_pipelines.build(partitions=by_change)
    code = graph["shop-transform-function"].inputs["code"]
    own = [name for name, asset in code.items() if not is_of_a_wheel(asset)]
    assert {"zoneinfo/Asia/Tokyo", "transform.json", "transform_module.py"} < set(own)
    assert [name for name in own if not OWN.fullmatch(name.split("/")[0])] == []


def test_lambdas_limits_are_these() -> None:
    assert wheels.LIMITS == {"unzipped": 262_144_000 - 1_048_576, "zipped": 50 * 2**20}


@pytest.mark.parametrize("kind", ["unzipped", "zipped"])
def test_more_than_lambda_takes_is_refused_with_the_largest_packages(
    core_pipelines: Pipelines, wheelhouse: Wheelhouse, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    sizes = {"core": 1, "large": 3000, "larger": 4000, "little": 500}
    made = [
        wheelhouse.wheel(name, {f"{name}.txt": " ".join(map(str, range(size)))})
        for name, size in sizes.items()
    ]
    lines = [wheelhouse.line(wheel.name.split("-")[0], wheel) for wheel in made]
    monkeypatch.setattr(wheels, "HANDLERS_LOCK", wheelhouse.lock(lines[0], name="handlers.txt"))
    theirs = wheelhouse.lock(*lines[1:])
    pins = read_pins(wheelhouse.lock(*lines, name="all.txt"), "all")
    entries = unpacked(pins, lambda_target("python3.13", "arm64")).entries.values()
    of = {
        name: sum(entry[kind] for entry in entries if entry["package"] == f"{name}==1.0")
        for name in sizes
    }
    total = sum(of.values())
    monkeypatch.setitem(wheels.LIMITS, kind, total)
    assert core_pipelines.build(transform=TransformArgs(requirements=str(theirs)))

    monkeypatch.setitem(wheels.LIMITS, kind, total - 1)
    assert core_pipelines.refusal(transform=TransformArgs(requirements=str(theirs))) == (
        f"requirements={str(theirs)!r}: the wheels for python3.13 on arm64 have {total:,} bytes"
        f" {kind}: Lambda leaves {total - 1:,} to them; do without some, or use smaller ones; the"
        f" largest are larger==1.0 with {of['larger']:,}, large==1.0 with {of['large']:,},"
        f" little==1.0 with {of['little']:,}."
    )
