"""Installation and cache of the functions' third-party packages."""

import re
import shutil
import sys
import tarfile
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from streaming_etl import SettingsError
from streaming_etl.components.packaging import dependencies
from streaming_etl.components.packaging.dependencies import (
    LIMITS,
    RESERVED,
    Dependencies,
    Packages,
    Target,
    cache_folder,
    ensure_dependencies,
    install_for,
    load_if_intact,
)
from streaming_etl.components.settings.validation import Problem
from tests.support.problems import problems_of
from tests.support.wheelhouse import ANY, Wheelhouse, tree

ARM = Target.lambda_("python3.13", "arm64")
INTEL = Target.lambda_("python3.13", "x86_64")
HASH = f"--hash=sha256:{'0' * 64}"


@pytest.fixture(autouse=True)
def house(wheelhouse: Wheelhouse) -> Wheelhouse:
    """A wheelhouse whose cache nobody has checked in this process."""
    dependencies._install_once.cache_clear()
    return wheelhouse


def ensure(lock: Path | None = None, target: Target = ARM) -> Packages:
    return ensure_dependencies(target, None if lock is None else str(lock))


def transform(lock: Path, target: Target = ARM) -> Dependencies:
    return ensure(lock, target).transform


def rejected(lock: Path | None = None, target: Target = ARM) -> Problem:
    [problem] = problems_of(ensure, lock, target)
    return problem


def import_names(installed: Dependencies) -> set[str]:
    tops = {path.split("/")[0] for path in installed.files}
    return {top.split(".")[0] for top in tops if not top.endswith(".dist-info")}


def again() -> None:
    """Start what a new process starts with."""
    dependencies._install_once.cache_clear()


def test_a_transforms_packages_go_into_its_archive_only(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = "mixed-1.0.data"
    house.locked(
        "mixed",
        {
            "mixed/__init__.py": "plain",
            "mixed/__pycache__/pure.cpython-313.pyc": "bytecode",
            f"{data}/purelib/mixed/pure.py": "pure",
            f"{data}/platlib/mixed/fast.so": "fast",
            f"{data}/scripts/mixed": "#!python\n",
            "mixed-1.0.dist-info/entry_points.txt": "[console_scripts]\nrun = mixed:run\n",
        },
    )
    # Relative to the program's folder.
    monkeypatch.chdir(tmp_path)
    packages = ensure(Path("mixed.txt"))
    core = {"core.py", "core-1.0.dist-info/METADATA", "core-1.0.dist-info/WHEEL"}
    assert set(packages.forwarder.files) == core
    assert set(packages.transform.files) - core == {
        "mixed/__init__.py",
        "mixed/fast.so",
        "mixed/pure.py",
        *(f"mixed-1.0.dist-info/{name}" for name in ("METADATA", "WHEEL", "entry_points.txt")),
    }
    assert packages.transform.read("mixed/pure.py") == b"pure"
    assert ensure().transform is packages.forwarder


def test_one_lock_produces_the_same_bytes_in_another_folder(
    house: Wheelhouse, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = house.locked("extra", {"extra/__init__.py": "", "extra/more.py": "1"})
    first = transform(lock)
    other = tmp_path / "another machine"
    other.mkdir()
    monkeypatch.chdir(other)
    monkeypatch.setenv("UV_CACHE_DIR", str(other / "uv"))
    monkeypatch.setattr(dependencies, "cache_folder", lambda: other / "cache")
    second = transform(lock)
    assert second.folder.name == first.folder.name
    assert second.folder != first.folder
    assert tree(second.folder) == tree(first.folder)
    # An intact folder is used without uv.
    monkeypatch.setattr(dependencies, "find_uv_bin", lambda: "/no/uv")
    again()
    assert transform(lock) == second


def test_lock_target_and_layout_select_the_folder(
    house: Wheelhouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    lock = house.locked("extra")
    targets = [ARM, INTEL, Target.lambda_("python3.12", "arm64"), Target.host()]
    folders = {transform(lock, target).folder for target in targets}
    lock.write_text(f"# Another text.\n{lock.read_text()}")
    folders.add(transform(lock).folder)
    monkeypatch.setattr(dependencies, "LAYOUT", dependencies.LAYOUT + 1)
    again()
    folders.add(transform(lock).folder)
    assert len(folders) == len(targets) + 2


def replace_with_a_file(folder: Path) -> None:
    shutil.rmtree(folder)
    folder.write_text("")


DAMAGES: dict[str, Callable[[Path], object]] = {
    "a file is missing": lambda folder: (folder / "files/core.py").unlink(),
    "a byte differs": lambda folder: (folder / "files/core.py").write_text("py3-none-anx"),
    "a file is added": lambda folder: (folder / "files/more.py").write_text("pass\n"),
    "the manifest is missing": lambda folder: (folder / "manifest.json").unlink(),
    "the manifest is truncated": lambda folder: (folder / "manifest.json").write_text('{"core'),
    "the manifest is empty": lambda folder: (folder / "manifest.json").write_text("{}"),
    "the manifest is a list": lambda folder: (folder / "manifest.json").write_text("[1]"),
    "the folder is empty": lambda folder: (shutil.rmtree(folder), folder.mkdir()),
    "the folder is a file": replace_with_a_file,
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES)
def test_a_damaged_folder_is_replaced(damage: Callable[[Path], object]) -> None:
    installed = ensure().forwarder
    before = tree(installed.folder)
    damage(installed.folder)
    assert load_if_intact(installed.folder) is None
    again()
    assert ensure().forwarder == installed
    assert tree(installed.folder) == before
    assert [path.name for path in dependencies.cache_folder().iterdir()] == [installed.folder.name]


def test_an_interrupted_installation_leaves_no_folder(monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(dependencies, "_describe", interrupt)
    with pytest.raises(KeyboardInterrupt):
        ensure()
    assert list(dependencies.cache_folder().iterdir()) == []


@pytest.mark.parametrize("intact", [True, False])
def test_uses_an_intact_folder_that_another_process_created_first(
    monkeypatch: pytest.MonkeyPatch, intact: bool
) -> None:
    rename = Path.rename

    def overtaken(self: Path, to: Path) -> Path:
        if self.name == "incomplete":
            shutil.copytree(self, to)
            if not intact:
                (to / "files/core.py").unlink()
        return rename(self, to)

    monkeypatch.setattr(Path, "rename", overtaken)
    if intact:
        assert ensure().forwarder.read("core.py") == ANY.encode()
    else:
        assert rejected().rule == "not-writable"
    assert len(list(dependencies.cache_folder().iterdir())) == 1


def test_concurrent_installations_produce_one_folder() -> None:
    results: list[Packages] = []
    threads = [threading.Thread(target=lambda: results.append(ensure())) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [ensure()] * 3
    assert len(list(dependencies.cache_folder().iterdir())) == 1


def test_the_cache_is_in_a_checkout_or_in_the_users_cache_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert cache_folder() == dependencies.ROOT / ".build" / "dependencies"
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(dependencies, "cache_folder", lambda: tmp_path / "file")
    assert rejected() == Problem(
        field="cache folder",
        value=str(tmp_path / "file"),
        rule="not-writable",
        details={"reason": "File exists"},
    )
    monkeypatch.setattr(dependencies, "ROOT", tmp_path / "site-packages" / "streaming_etl")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert cache_folder() == tmp_path / "streaming-etl" / "dependencies"
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setenv("HOME", "/home/user")
    for platform, folder in {"linux": ".cache", "darwin": "Library/Caches"}.items():
        monkeypatch.setattr(sys, "platform", platform)
        assert cache_folder() == Path("/home/user", folder, "streaming-etl", "dependencies")


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
def test_the_wheel_nearest_to_the_function_is_installed(
    house: Wheelhouse, runtime: str, architecture: str, chosen: str
) -> None:
    tags = (
        "cp311-cp311-manylinux_2_17_x86_64",
        "cp311-cp311-manylinux_2_28_x86_64",
        "cp313-cp313-manylinux_2_17_x86_64",
        "cp313-cp313-manylinux_2_28_x86_64",
        "cp313-cp313-manylinux_2_35_x86_64",
        "cp313-cp313t-manylinux_2_28_x86_64",
        "cp311-abi3-manylinux_2_34_x86_64",
        "cp311-abi3-manylinux_2_5_x86_64",
        "cp311-abi3-manylinux2014_aarch64",
        "cp313-cp313-musllinux_1_2_aarch64",
        "cp313-cp313-macosx_11_0_arm64",
        "cp313-cp313-win_amd64",
        ANY,
    )
    wheels = [house.wheel("many", tag=tag) for tag in tags]
    lock = house.lock(house.line("many", *wheels))
    installed = transform(lock, Target.lambda_(runtime, architecture))
    assert installed.read("many.py").decode() == chosen


def test_markers_are_evaluated_for_the_function(house: Wheelhouse) -> None:
    markers = {
        "old": "python_full_version < '3.12'",
        "new": "python_version >= '3.14' and platform_machine == 'aarch64'",
        "linux": "sys_platform == 'linux' and os_name == 'posix' and extra != 'speed'",
        "mac": "sys_platform == 'darwin' or platform_python_implementation == 'PyPy'",
    }
    lines = [
        house.line(name, house.wheel(name), marker=f" ; {marker}")
        for name, marker in markers.items()
    ]
    lock = house.lock(*lines)
    for target, expected in {
        Target.lambda_("python3.11", "x86_64"): {"core", "old", "linux"},
        Target.lambda_("python3.14", "arm64"): {"core", "new", "linux"},
    }.items():
        assert import_names(transform(lock, target)) == expected


def test_a_program_installs_for_the_target_of_its_caller(house: Wheelhouse) -> None:
    host = "".join(map(str, sys.version_info[:2]))
    tag = f"cp{host}-abi3-{'linux_x86_64' if sys.platform == 'linux' else 'any'}"
    wheels = [house.wheel("it", tag=tag), house.wheel("it")]
    lock = house.lock(house.line("it", *wheels))
    with install_for(Target.host()):
        local = transform(lock)
    assert local == transform(lock, Target.host())
    assert local.folder != transform(lock).folder


def source_archive(house: Wheelhouse) -> Path:
    source = house.folder / "slow-1.0.tar.gz"
    with tarfile.open(source, "w:gz") as archive:
        archive.add(__file__, "slow-1.0/setup.py")
    return house.lock(house.line("slow", source))


def changed_wheel(house: Wheelhouse) -> Path:
    lock = house.locked("slow")
    house.wheel("slow", {"slow.py": "changed"})
    return lock


def another_version(house: Wheelhouse) -> Path:
    wheel = house.wheel("core", version="2.0")
    return house.lock(house.line("core", wheel, version="2.0"))


NOT_INSTALLABLE: dict[str, tuple[Callable[[Wheelhouse], Path], str]] = {
    "no wheel for the processor": (
        lambda house: house.locked("fast", tag="cp313-cp313-manylinux2014_x86_64"),
        r"fast==1\.0 has no wheels with a matching platform tag",
    ),
    "only source": (source_archive, r"slow==1\.0 has no usable wheels"),
    "another hash": (changed_wheel, r"Hash mismatch for `slow==1\.0`"),
    "two versions": (another_version, r"core==1\.0 and core==2\.0"),
    "no such package": (lambda house: house.lock(f"nowhere==1 {HASH}"), "no version of nowhere==1"),
}


@pytest.mark.parametrize(("make", "reason"), NOT_INSTALLABLE.values(), ids=NOT_INSTALLABLE)
def test_packages_that_uv_cannot_install_are_rejected_with_its_reason(
    house: Wheelhouse, make: Callable[[Wheelhouse], Path], reason: str
) -> None:
    lock = make(house)
    problem = rejected(lock)
    assert (problem.path, problem.field, problem.value) == ("transform", "requirements", str(lock))
    assert (problem.rule, problem.details["target"]) == ("packages-not-installable", ARM.name)
    assert re.search(reason, problem.details["reason"])
    assert "\n" not in problem.details["reason"]
    assert len(list(dependencies.cache_folder().iterdir())) == 1  # Of the forwarder.


def test_an_error_in_the_handlers_lock_names_that_file(house: Wheelhouse) -> None:
    (house.folder / "core-1.0-py3-none-any.whl").unlink()
    problem = rejected(house.locked("extra"))
    assert problem.rule == "packages-not-installable"
    assert problem.value == "handlers/requirements.txt"


def test_an_unreachable_index_is_reported_without_its_address(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delenv("UV_NO_INDEX")
    monkeypatch.delenv("UV_FIND_LINKS")
    monkeypatch.setenv("UV_DEFAULT_INDEX", "http://me:secret@host.invalid:9/simple")
    monkeypatch.setenv("UV_HTTP_RETRIES", "0")
    problem = rejected()
    assert problem.rule == "packages-not-installable"
    assert not re.search("secret|host.invalid", str(problem))


PINNED = f"numpy==2.1 {HASH}"
INVALID_LOCKS: dict[str, tuple[str, tuple[str, ...] | None]] = {
    f"numpy>=2 {HASH}": ("lock-unpinned", ("numpy",)),
    f"numpy==2.* {HASH}": ("lock-unpinned", ("numpy",)),
    f"numpy===2 {HASH}": ("lock-unpinned", ("numpy",)),
    f"numpy==2,<3 {HASH}": ("lock-unpinned", ("numpy",)),
    f"# Packages.\n\nnumpy {HASH}": ("lock-unpinned", ("numpy",)),
    f"numpy @ https://me:secret@host.invalid/numpy.whl {HASH}": ("lock-unpinned", ("numpy",)),
    f"{PINNED}\npandas==2.2 ; python_version < '4'\n": ("lock-unpinned", ("pandas",)),
    f"--index-url https://me:secret@host.invalid/\n{PINNED}": ("lock-unpinned", ("--index-url",)),
    f"--extra-index-url=https://me:secret@host/\n{PINNED}": (
        "lock-unpinned",
        ("--extra-index-url",),
    ),
    f"-r more.txt\n{PINNED}": ("lock-unpinned", ("-r",)),
    f"-e .\n{PINNED}": ("lock-unpinned", ("-e",)),
    "numpy==2.1 --hash=md5:0123": ("lock-unpinned", ("numpy",)),
    f"numpy\n{PINNED}\npandas>=2\nnumpy": ("lock-unpinned", ("numpy", "pandas")),
    "# Nothing.\n": ("lock-empty", None),
}


@pytest.mark.parametrize("text", INVALID_LOCKS)
def test_a_lock_contains_only_pinned_packages(house: Wheelhouse, text: str) -> None:
    problem = rejected(house.lock(text))
    assert (problem.rule, problem.details.get("entries")) == INVALID_LOCKS[text]
    assert "secret" not in str(problem)


def test_a_lock_may_be_written_in_all_forms_of_uv_and_pip(house: Wheelhouse) -> None:
    one, two = house.wheel("one"), house.wheel("two_words")
    text = (
        "\ufeff# Comment.\n"
        + house.line("one[fast, more]", one, marker=' ; python_full_version >= "3.8"')
        + "    # via me\n"
        + house.line("Two.Words", two).replace("--hash=", "--hash ").replace("\n", "\r\n")
    )
    assert import_names(transform(house.lock(text))) == {"core", "one", "two_words"}


def test_a_lock_is_a_text_file(tmp_path: Path) -> None:
    (tmp_path / "binary.txt").write_bytes(b"numpy==2.1 # \xe9\n")
    assert rejected(tmp_path / "binary.txt").rule == "lock-encoding"
    for path in (tmp_path, tmp_path / "missing.txt"):
        problem = rejected(path)
        assert (problem.rule, problem.value) == ("lock-missing", str(path))
        assert problem.details == {"directory": str(Path.cwd())}


def test_two_packages_with_different_files_of_one_name_are_rejected(house: Wheelhouse) -> None:
    lock = house.locked("other", {"core.py": "other"})
    problem = rejected(lock)
    assert (problem.rule, problem.value) == ("packages-conflict", str(lock))
    assert problem.details == {"packages": ("core==1.0", "other==1.0"), "file": "core.py"}
    same = house.locked("other", {"core.py": ANY, "space.py": ""})
    assert "space.py" in transform(same).files
    # Scripts are not carried.
    scripts = [
        house.line(name, house.wheel(name, {f"{name}-1.0.data/scripts/run": f"#!python\n{name}"}))
        for name in ("one", "two")
    ]
    assert "one-1.0.dist-info/WHEEL" in transform(house.lock(*scripts)).files


@pytest.mark.parametrize(
    "path",
    [
        "streaming_etl/a.py",
        "streaming_etl.py",
        "streaming_etl.cpython-313-x86_64.so",
        "transform_module.py",
        "transform_module/__init__.py",
        "forwarder.json",
        "transform.json",
        "zoneinfo/Asia/Tokyo",
        "rude-1.0.data/purelib/streaming_etl/more.py",
    ],
)
def test_files_of_reserved_names_are_rejected(house: Wheelhouse, path: str) -> None:
    problem = rejected(house.locked("rude", {path: "mine"}))
    file = path.removeprefix("rude-1.0.data/purelib/")
    assert problem.rule == "package-reserved-file"
    assert problem.details == {"package": "rude==1.0", "file": file}
    other = ("streaming_etl_of", "transform", "zoneinfos", "streaming_etl-1", "my")
    assert not any(RESERVED.fullmatch(name) for name in other)


@pytest.mark.parametrize("path", ["../rude.py", "rude/../../rude.py", "/rude.py"])
def test_no_file_is_written_outside_of_the_folder(
    house: Wheelhouse, tmp_path: Path, path: str
) -> None:
    lock = house.locked("rude", {path: "mine", "polite.py": ""})
    try:
        assert import_names(transform(lock)) <= {"core", "polite", "rude"}
    except SettingsError as error:
        assert [it.rule for it in error.problems] == ["packages-not-installable"]  # noqa: PT017
    assert list(tmp_path.rglob("rude.py")) == []
    assert not Path("/rude.py").exists()


@pytest.mark.parametrize("kind", ["unzipped", "zipped"])
def test_rejects_more_than_lambda_accepts_with_the_largest_packages(
    house: Wheelhouse, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    assert LIMITS == {"unzipped": 262_144_000 - 1_048_576, "zipped": 50 * 2**20}
    sizes = {"large": 3000, "larger": 4000, "little": 500}
    lines = [
        house.line(name, house.wheel(name, {f"{name}.txt": " ".join(map(str, range(size)))}))
        for name, size in sizes.items()
    ]
    lock = house.lock(*lines)
    total = sum(getattr(file, kind) for file in transform(lock).files.values())
    monkeypatch.setitem(LIMITS, kind, total)
    assert ensure(lock)
    monkeypatch.setitem(LIMITS, kind, total - 1)
    problem = rejected(lock)
    details = problem.details
    assert (problem.rule, details["kind"], details["size"]) == ("packages-too-large", kind, total)
    assert [text.partition("==")[0] for text in details["largest"]] == ["larger", "large", "little"]
