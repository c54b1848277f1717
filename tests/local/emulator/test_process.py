"""Isolation and lifetime of ministack's process."""

import json
import os
import signal
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import boto3
import pytest

from local.emulator import process
from local.emulator.process import HOST, ROOT, Emulator, child_environment
from streaming_etl.stack.clients import Clients, isolated
from streaming_etl.stack.errors import CommandError
from tests.local.conftest import REGION
from tests.local.ministack_patches.firehose.streams import Stream
from tests.support.processes import end, environment, listening_addresses, members, wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

LEAK = "leaked-from-this-machine"


@pytest.fixture
def hostile_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Configure a real account; the returned file exists after a read."""
    touched = tmp_path / "touched"
    config = tmp_path / "config"
    config.write_text(
        f"[default]\nregion = us-gov-west-1\ncredential_process = touch {touched}\n"
        f"[profile {LEAK}]\ncredential_process = touch {touched}\n"
        "endpoint_url = http://127.0.0.1:9\n"
    )
    variables = {
        "AWS_CONFIG_FILE": str(config),
        "AWS_SHARED_CREDENTIALS_FILE": str(config),
        "AWS_PROFILE": LEAK,
        "AWS_DEFAULT_REGION": "us-gov-west-1",
        "AWS_REGION": "us-gov-west-1",
        "AWS_ACCESS_KEY_ID": LEAK,
        "AWS_SECRET_ACCESS_KEY": LEAK,
        "AWS_SESSION_TOKEN": LEAK,
        "AWS_ENDPOINT_URL": "http://127.0.0.1:9",
        "AWS_ENDPOINT_URL_S3": "http://127.0.0.1:9",
        "AWS_CA_BUNDLE": f"/{LEAK}",
        "AWS_USE_FIPS_ENDPOINT": "true",
        "AWS_USE_DUALSTACK_ENDPOINT": "true",
        "AWS_MAX_ATTEMPTS": "0",
        "HTTP_PROXY": "http://127.0.0.1:9",
        "HTTPS_PROXY": "http://127.0.0.1:9",
        "http_proxy": "http://127.0.0.1:9",
        "PYTHONPATH": f"/{LEAK}",
        "GATEWAY_PORT": "9",
        "BIND_HOST": "0.0.0.0",
        "PERSIST_STATE": "1",
        "A_SECRET_OF_THE_USER": LEAK,
    }
    for name, value in variables.items():
        monkeypatch.setenv(name, value)
    return touched


def test_an_ordinary_session_reads_the_machines_keys(
    hostile_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    # The process of the configuration writes no keys.
    with pytest.raises(json.JSONDecodeError):
        boto3.Session().get_credentials()

    assert hostile_machine.exists()


def test_clients_use_no_configuration_of_this_machine(hostile_machine: Path) -> None:
    session = isolated(REGION)
    keys = session.get_credentials().get_frozen_credentials()
    client = Clients("http://127.0.0.1:1", REGION)("s3")

    assert set(keys) == {"local-only", None}
    assert session.region_name == REGION
    assert client.meta.endpoint_url == "http://127.0.0.1:1"
    assert not client._endpoint.http_session._proxy_config._proxies
    assert LEAK not in repr(vars(client.meta.config))
    assert not hostile_machine.exists()


def test_ministack_and_its_functions_use_no_configuration_of_this_machine(
    hostile_machine: Path,
) -> None:
    with Emulator(REGION) as emulator:
        stream = Stream(emulator.clients)
        stream.put({"do": "ok", "text": "row\n"})
        stream.objects("data/")

        assert emulator.pid is not None
        group = members(emulator.pid)
        environments = [environment(pid) for pid in group]

        [worker] = [one for one in environments if "AWS_LAMBDA_FUNCTION_NAME" in one]
        assert len(group) == 2, "ministack and one worker of the function"
        assert LEAK not in json.dumps(environments)
        assert worker["AWS_ENDPOINT_URL"] == emulator.endpoint
        seen = {name for one in environments for name in one}
        assert seen.isdisjoint({"PYTHONPATH", "HTTP_PROXY", "AWS_PROFILE", "PERSIST_STATE"})
    assert not hostile_machine.exists()


def test_the_child_inherits_at_most_the_library_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in list(os.environ):
        monkeypatch.setenv(name, LEAK)

    inherited = {
        name for name, value in child_environment(tmp_path, REGION, 4711).items() if value == LEAK
    }

    assert inherited <= {"LD_LIBRARY_PATH"}


def test_listens_on_the_loopback_only(emulator: Emulator) -> None:
    stream = Stream(emulator.clients)
    stream.put({"do": "ok", "text": "row\n"})
    stream.objects("data/")

    assert emulator.pid is not None
    assert listening_addresses(emulator.pid) == {HOST}


def test_the_exit_ends_busy_processes_and_removes_all_files(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # The child ends its group itself, however long that takes on this machine.
    monkeypatch.setattr(process, "STOP_SECONDS", 30.0)
    killed: list[int] = []
    kill = os.killpg

    def recorded(group: int, signal_: int) -> None:
        killed.append(group)
        kill(group, signal_)

    monkeypatch.setattr(os, "killpg", recorded)
    with Emulator(REGION) as emulator:
        stream = Stream(emulator.clients)
        stream.put({"do": "ok", "text": "row\n"})
        stream.objects("data/")
        stream.put({"do": "sleep"})
        time.sleep(1)  # Until the function has the record.
        group, directory = emulator.pid, emulator.directory
        assert group is not None
        assert len(members(group)) == 2
        assert directory.is_dir()

    assert killed == []
    assert wait_until(lambda: not members(group))
    assert not directory.exists()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_no_process_and_no_file(error: type[BaseException]) -> None:
    emulator = Emulator(REGION)

    def fail() -> None:
        raise error(emulator.pid, emulator.directory)

    with pytest.raises(error) as raised, emulator:
        fail()

    group, directory = raised.value.args
    assert group is not None
    assert wait_until(lambda: not members(group))
    assert not directory.exists()


def test_a_killed_parent_leaves_no_process_and_no_file() -> None:
    code = f"""
        from local.emulator.process import Emulator
        with Emulator({REGION!r}) as emulator:
            print(emulator.pid, emulator.directory, flush=True)
            input()
    """
    parent = subprocess.Popen(
        [sys.executable, "-c", textwrap.dedent(code)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    with parent:
        assert parent.stdout is not None
        group, directory = parent.stdout.readline().split()
        assert members(int(group))

        end(parent, signal.SIGKILL)

        assert wait_until(lambda: not members(int(group)))
        assert wait_until(lambda: not Path(directory).exists())


def test_reports_the_log_of_a_ministack_that_exited() -> None:
    emulator = Emulator(REGION)

    def use() -> None:
        assert emulator.pid is not None
        os.kill(emulator.pid, signal.SIGKILL)
        emulator.clients("sts").get_caller_identity()

    with pytest.raises(CommandError) as raised, emulator:
        use()

    assert raised.value.code == "emulator-exited"
    assert raised.value.details["status"] == -signal.SIGKILL
    assert "Running on http" in raised.value.details["log"]


def test_rejects_a_port_in_use(emulator: Emulator) -> None:
    with pytest.raises(CommandError) as raised:
        Emulator(REGION, emulator.port).__enter__()

    assert (raised.value.code, raised.value.details) == ("port-in-use", {"port": emulator.port})


def test_the_child_does_not_run_without_a_parent() -> None:
    completed = subprocess.run(
        [sys.executable, "-m", "local.emulator.child"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )

    assert completed.returncode == 1
    assert "Traceback" not in completed.stderr
