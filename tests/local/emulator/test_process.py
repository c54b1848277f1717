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

from local import LocalError
from local.emulator.process import HOST, ROOT, Emulator, child_environment
from streaming_etl.stack.clients import Clients, isolated
from tests.local.conftest import REGION
from tests.local.delivery_streams import Stream
from tests.support.processes import end, environment, listening_addresses, members, wait_until

pytestmark = [
    pytest.mark.e2e,
    pytest.mark.skipif(sys.platform != "linux", reason="reads /proc"),
]

LEAK = "leaked-from-this-machine"


@pytest.fixture
def hostile_machine(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A machine set up for a real account; the file returned appears if its keys are read."""
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


def test_the_hostile_machine_would_be_believed_by_an_ordinary_session(
    hostile_machine: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("AWS_ACCESS_KEY_ID")

    with pytest.raises(Exception, match=r"credential|process|JSON|Expecting"):
        boto3.Session().get_credentials()

    assert hostile_machine.exists()


def test_nothing_of_this_machine_reaches_the_clients(hostile_machine: Path) -> None:
    session = isolated(REGION)
    keys = session.get_credentials().get_frozen_credentials()
    client = Clients("http://127.0.0.1:1", REGION)("s3")

    assert set(keys) == {"local-only", None}
    assert session.region_name == REGION
    assert client.meta.endpoint_url == "http://127.0.0.1:1"
    assert not client._endpoint.http_session._proxy_config._proxies
    assert LEAK not in repr(vars(client.meta.config))
    assert not hostile_machine.exists()


def test_nothing_of_this_machine_reaches_the_embedded_aws_and_its_functions(
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


def test_the_child_gets_this_environment_and_no_more(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LD_LIBRARY_PATH", raising=False)

    given = child_environment(tmp_path, REGION, 4711)

    assert set(given) == {
        *("PATH", "LANG", "HOME", "TMPDIR", "GATEWAY_PORT", "BIND_HOST", "IOT_MTLS_ENABLED"),
        *("SFTP_ENABLED", "MINISTACK_ACCOUNT_ID", "MINISTACK_REGION", "S3_DATA_DIR", "STATE_DIR"),
        *("STREAMING_ETL_LOCAL_DIRECTORY", "DOCKER_HOST", "NO_PROXY"),
        *("SFN_WAIT_SCALE", "MINISTACK_DDB_EXPORT_COMPLETE_AFTER_SEC"),
        *("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_CONFIG_FILE"),
        *("AWS_SHARED_CREDENTIALS_FILE", "AWS_EC2_METADATA_DISABLED"),
    }


def test_nothing_listens_beyond_the_loopback(emulator: Emulator) -> None:
    stream = Stream(emulator.clients)
    stream.put({"do": "ok", "text": "row\n"})
    stream.objects("data/")

    assert emulator.pid is not None
    assert listening_addresses(emulator.pid) == {HOST}


def test_leaving_ends_every_process_even_a_busy_one_and_removes_every_file() -> None:
    with Emulator(REGION) as emulator:
        stream = Stream(emulator.clients)
        stream.put({"do": "ok", "text": "row\n"})
        stream.objects("data/")
        stream.put({"do": "sleep"})
        time.sleep(1)  # Its thread has handed the record to the function by then.
        group, directory = emulator.pid, emulator.directory
        assert group is not None
        assert len(members(group)) == 2
        assert directory.is_dir()

    assert wait_until(lambda: not members(group))
    assert not directory.exists()


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
def test_an_exception_leaves_nothing_behind(error: type[BaseException]) -> None:
    emulator = Emulator(REGION)

    def fail() -> None:
        raise error(emulator.pid, emulator.directory)

    with pytest.raises(error) as raised, emulator:
        fail()

    group, directory = raised.value.args
    assert group is not None
    assert wait_until(lambda: not members(group))
    assert not directory.exists()


def test_a_parent_that_is_killed_without_a_word_leaves_nothing_behind() -> None:
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


def test_an_embedded_aws_that_dies_is_told_with_the_end_of_its_log() -> None:
    emulator = Emulator(REGION)

    def use() -> None:
        assert emulator.pid is not None
        os.kill(emulator.pid, signal.SIGKILL)
        emulator.clients("sts").get_caller_identity()

    with pytest.raises(LocalError, match=r"by itself(?s:.*)Running on http"), emulator:
        use()


def test_a_port_that_is_taken_is_told_in_plain_words(emulator: Emulator) -> None:
    with pytest.raises(LocalError, match=r"Port \d+ on 127.0.0.1 is taken.*Leave --port out"):
        Emulator(REGION, emulator.port).__enter__()


def test_the_child_does_nothing_when_it_is_started_by_hand() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "local.emulator.child"],
        cwd=ROOT,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 1
    assert "use `make local`" in done.stderr
