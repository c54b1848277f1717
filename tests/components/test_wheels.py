"""Wheels in their build folder: the same bytes everywhere, whole or not there, fetched once."""

import json
import shutil
import threading
import zipfile
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from streaming_etl import SettingsError
from streaming_etl.components.packaging import wheels
from streaming_etl.components.packaging.fetch import Target, host_target, lambda_target
from streaming_etl.components.packaging.pins import Pin, read_pins
from streaming_etl.components.packaging.wheels import Unpacked, folder_of, pins_in, unpacked
from tests.components.wheelhouse import Wheelhouse, tree

ARM = lambda_target("python3.13", "arm64")


@pytest.fixture
def pins(wheelhouse: Wheelhouse) -> tuple[Pin, ...]:
    """A pure package and one for each processor."""
    built = [
        wheelhouse.wheel("fast", {f"fast/core.{machine}.so": machine}, tag=f"cp313-cp313-{tag}")
        for machine in ("aarch64", "x86_64")
        for tag in (f"manylinux2014_{machine}.manylinux_2_17_{machine}",)
    ]
    pure = wheelhouse.line("pure", wheelhouse.wheel("pure"))
    return read_pins(wheelhouse.lock(wheelhouse.line("fast", *built), pure), "it")


@pytest.fixture
def handed(wheelhouse: Wheelhouse, monkeypatch: pytest.MonkeyPatch) -> None:
    """The wheels come without pip, which takes its time."""

    def hand(pins: Sequence[Pin], target: Target, _: Path) -> dict[Path, Pin]:
        machine = target.environment["platform_machine"]
        return {
            wheel: pin
            for pin in pins
            for wheel in wheelhouse.folder.glob(f"{pin.name}-*.whl")
            if wheel.stem.endswith(("any", machine))
        }

    monkeypatch.setattr(wheels, "fetch", hand)


def no_pip(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("pip is called")

    monkeypatch.setattr(wheels, "fetch", refuse)


def making() -> list[Path]:
    return [path for path in wheels.BUILD.iterdir() if path.name.startswith("making-")]


def test_the_same_lock_gives_the_same_bytes_in_another_folder(
    pins: tuple[Pin, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = unpacked(pins, ARM)
    elsewhere = tmp_path / "another machine"
    elsewhere.mkdir()
    # Not the one that is meant, though it lies where the program runs.
    (elsewhere / "pip.py").write_text("raise SystemExit('the wrong pip')\n")
    monkeypatch.chdir(elsewhere)
    monkeypatch.setattr(wheels, "BUILD", elsewhere / "wheels")
    second = unpacked(pins, ARM)
    assert second.folder != first.folder
    assert second.folder.name == first.folder.name
    assert tree(second.folder) == tree(first.folder)
    assert list(second.files) == [
        *("fast-1.0.dist-info/METADATA", "fast-1.0.dist-info/RECORD", "fast-1.0.dist-info/WHEEL"),
        "fast/core.aarch64.so",
        *("pure-1.0.dist-info/METADATA", "pure-1.0.dist-info/RECORD", "pure-1.0.dist-info/WHEEL"),
        "pure.py",
    ]
    assert second.files["fast/core.aarch64.so"].read_text() == "aarch64"


def test_an_unchanged_lock_calls_no_pip(
    pins: tuple[Pin, ...], wheelhouse: Wheelhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = unpacked(pins, ARM)
    no_pip(monkeypatch)
    text = (wheelhouse.folder.parent / "lock.txt").read_text()
    commented = wheelhouse.lock("# locked anew\n", text, name="other.txt")
    assert unpacked(pins, ARM) == first
    assert unpacked(read_pins(commented, "another"), ARM) == first


@pytest.mark.parametrize(
    "changed",
    [
        lambda pins: (pins[:1], ARM),
        lambda pins: ((*pins[:1], Pin("it", "pure", "1.0", None, ("sha256:0",))), ARM),
        lambda pins: ((*pins[:1], Pin("it", "pure", "1.1", None, pins[1].hashes)), ARM),
        lambda pins: ((*pins[:1], Pin("it", "pure", "1.0", "os_name=='nt'", pins[1].hashes)), ARM),
        lambda pins: (pins, lambda_target("python3.13", "x86_64")),
        lambda pins: (pins, lambda_target("python3.12", "arm64")),
        lambda pins: (pins, replace(ARM, options=())),
        lambda pins: (pins, replace(ARM, name="another machine")),
        lambda pins: (pins, host_target()),
    ],
)
def test_all_that_the_content_depends_on_gives_another_folder(
    pins: tuple[Pin, ...],
    monkeypatch: pytest.MonkeyPatch,
    changed: Callable[[tuple[Pin, ...]], tuple[tuple[Pin, ...], Target]],
) -> None:
    monkeypatch.setattr(wheels, "fetch", lambda *_: {})
    assert unpacked(*changed(pins)).folder != unpacked(pins, ARM).folder


def test_what_a_marker_leaves_out_gives_another_folder_and_so_does_who_asks(
    pins: tuple[Pin, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "fetch", lambda *_: {})
    marked = (*pins, Pin("it", "more", "1.0", "python_full_version >= '3.13.5'", ("sha256:0",)))
    later = replace(ARM, environment={**ARM.environment, "python_full_version": "3.13.5"})
    found = [unpacked(pins, ARM), unpacked(marked, ARM), unpacked(marked, later)]
    assert len({made.folder for made in found}) == 3


def test_another_layout_gives_another_folder(
    pins: tuple[Pin, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(wheels, "fetch", lambda *_: {})
    first = unpacked(pins, ARM)
    monkeypatch.setattr(wheels, "LAYOUT", wheels.LAYOUT + 1)
    assert unpacked(pins, ARM).folder != first.folder


def empty(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.mkdir()


def no_folder(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a file is gone": lambda folder: (folder / "files" / "pure.py").unlink(),
    "a byte is another": lambda folder: (folder / "files" / "pure.py").write_text("py3-none-anx"),
    "a file is cut": lambda folder: (folder / "files" / "pure.py").write_text(""),
    "the list is cut": lambda folder: (folder / "entries.json").write_text('{"pure.py"'),
    "the list is empty": lambda folder: (folder / "entries.json").write_text("{}\n"),
    "a file is too much": lambda folder: (folder / "files" / "more.py").write_text("pass\n"),
    "the list is gone": lambda folder: (folder / "entries.json").unlink(),
    "the lock is another": lambda folder: (folder / "lock.txt").write_text("pure==2.0\n"),
    "the lock is gone": lambda folder: (folder / "lock.txt").unlink(),
    "the folder is empty": empty,
    "the folder is a file": no_folder,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
@pytest.mark.usefixtures("handed")
def test_a_damaged_folder_is_made_anew(
    pins: tuple[Pin, ...], damage: Callable[[Path], object]
) -> None:
    made = unpacked(pins, ARM)
    whole = tree(made.folder)
    damage(made.folder)
    assert unpacked(pins, ARM) == made
    assert tree(made.folder) == whole
    assert making() == []


@pytest.mark.usefixtures("handed")
def test_what_is_broken_off_leaves_no_folder(
    pins: tuple[Pin, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken_off(archive: zipfile.ZipFile) -> list[object]:
        if archive.namelist()[0].startswith("pure"):
            raise KeyboardInterrupt
        return list(carried(archive))

    carried = wheels.carried
    monkeypatch.setattr(wheels, "carried", broken_off)
    with pytest.raises(KeyboardInterrupt):
        unpacked(pins, ARM)
    assert list(wheels.BUILD.iterdir()) == []


@pytest.mark.usefixtures("handed")
def test_of_two_that_build_at_once_the_first_stays(
    pins: tuple[Pin, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    first: list[tuple[Unpacked, int]] = []
    unpack = wheels.unpack

    def overtaken(*given: Any) -> Any:
        monkeypatch.setattr(wheels, "unpack", unpack)
        made = unpacked(pins, ARM)
        first.append((made, made.folder.stat().st_ino))
        return unpack(*given)

    monkeypatch.setattr(wheels, "unpack", overtaken)
    second = unpacked(pins, ARM)
    assert first == [(second, second.folder.stat().st_ino)]
    assert making() == []


@pytest.mark.usefixtures("handed")
@pytest.mark.parametrize("whole", [True, False])
def test_a_folder_that_another_puts_there_at_the_last_moment_is_taken_if_it_is_whole(
    pins: tuple[Pin, ...], monkeypatch: pytest.MonkeyPatch, whole: bool
) -> None:
    rename = Path.rename

    def overtaken(self: Path, to: Path) -> Path:
        if self.name == "made":
            shutil.copytree(self, to)
            if not whole:
                (to / "files" / "pure.py").unlink()
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", overtaken)
    if whole:
        assert unpacked(pins, ARM).files["pure.py"].read_text() == "py3-none-any"
    else:
        with pytest.raises(SettingsError, match=r"cannot be kept in .*: Directory not empty;"):
            unpacked(pins, ARM)
    assert making() == []


@pytest.mark.usefixtures("handed")
def test_many_that_build_at_once_get_the_same(pins: tuple[Pin, ...]) -> None:
    found: list[Unpacked] = []
    threads = [threading.Thread(target=lambda: found.append(unpacked(pins, ARM))) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [unpacked(pins, ARM)] * 4
    assert making() == []


def test_a_build_folder_that_cannot_be_is_told(
    pins: tuple[Pin, ...], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(wheels, "BUILD", tmp_path / "file" / "wheels")
    with pytest.raises(SettingsError) as refused:
        unpacked(pins, ARM)
    assert str(refused.value) == (
        f"the wheels for python3.13 on arm64 cannot be kept in {tmp_path}/file/wheels:"
        " Not a directory; see to that folder and try again."
    )


@pytest.mark.usefixtures("handed")
def test_a_folder_tells_what_it_was_made_from(pins: tuple[Pin, ...]) -> None:
    made = unpacked(pins, ARM)
    again = [(pin.name, pin.version, pin.marker, pin.hashes) for pin in pins_in(made.folder)]
    assert again == [(pin.name, pin.version, pin.marker, pin.hashes) for pin in pins]
    assert {folder_of(path) for path in made.files.values()} == {made.folder}
    assert folder_of(Path(__file__)) is None


@pytest.mark.usefixtures("handed")
def test_the_list_of_a_folder_tells_each_files_package_and_sizes(pins: tuple[Pin, ...]) -> None:
    made = unpacked(pins, ARM)
    entries = json.loads((made.folder / "entries.json").read_text())
    assert entries == made.entries
    assert entries["pure.py"]["package"] == "pure==1.0"
    assert entries["pure.py"]["unzipped"] == len("py3-none-any")
