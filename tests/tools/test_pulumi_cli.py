"""Where `make test-engine` finds the Pulumi CLI."""

import stat
from pathlib import Path

import pytest

from tools import pulumi_cli


def executable(path: Path, text: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(path.stat().st_mode | stat.S_IEXEC)
    return path


@pytest.fixture(autouse=True)
def nothing_installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", f"{tmp_path / 'bin'}:/usr/bin:/bin")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


def test_an_installed_cli_is_used(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    executable(tmp_path / "bin" / "pulumi", "exit 0")
    assert pulumi_cli.main() == 0
    assert capfd.readouterr().out == f"{tmp_path / 'bin'}\n"


def test_a_cli_is_built_once_outside_the_checkout(
    tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    # Stands in for Go: writes what `go build -o pulumi` would.
    executable(
        tmp_path / "bin" / "go", f'echo "$1" >> {tmp_path}/calls; : > pulumi; chmod +x pulumi'
    )
    for _ in range(2):
        assert pulumi_cli.main() == 0
        assert capfd.readouterr().out == f"{pulumi_cli.cache_folder()}\n"
    assert (tmp_path / "calls").read_text().split() == ["mod", "get", "build"]
    assert [path.name for path in pulumi_cli.cache_folder().iterdir()] == ["pulumi"]


def test_without_cli_and_go_the_exit_code_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "")
    assert pulumi_cli.main() == pulumi_cli.NOT_AVAILABLE
