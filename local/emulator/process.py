"""Start and stop ministack in a child process on the loopback."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path
from types import TracebackType

from local import DIRECTORY_VARIABLE
from streaming_etl.stack.clients import DUMMY_KEY, Clients
from streaming_etl.stack.errors import CommandError

ROOT = Path(__file__).resolve().parents[2]
HOST = "127.0.0.1"
ACCOUNT = "000000000000"
START_SECONDS = 60.0
STOP_SECONDS = 5.0
LOG_LINES = 15


class Emulator:
    """A ministack; the exit ends all processes and removes all files."""

    def __init__(self, region: str, port: int | None = None) -> None:
        self.region = region
        self.port = free_port() if port is None else port
        self.endpoint = f"http://{HOST}:{self.port}"
        self.clients = Clients(self.endpoint, region)
        self.directory = Path()
        self._process: subprocess.Popen[bytes] | None = None
        self._cleanup = contextlib.ExitStack()

    def __enter__(self) -> "Emulator":
        with contextlib.ExitStack() as stack:
            # The child removes the directory too, in case this process is killed.
            directory = tempfile.TemporaryDirectory(
                prefix="streaming-etl-local-", ignore_cleanup_errors=True
            )
            self.directory = Path(stack.enter_context(directory))
            stack.callback(self._stop)
            self._start()
            self._cleanup = stack.pop_all()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        with self._cleanup:
            if isinstance(error, Exception):
                # If ministack has exited, its log explains the error.
                self.check()

    @property
    def pid(self) -> int | None:
        return self._process.pid if self._process else None

    def check(self) -> None:
        """Raise CommandError with the end of the log if ministack has exited."""
        status = self._process.poll() if self._process else None
        if status is not None:
            raise CommandError(
                f"The embedded AWS ended unexpectedly (exit status {status}). "
                f"The end of its log:\n{self.log_tail()}",
                code="emulator-exited",
                status=status,
                log=self.log_tail(),
            )

    def log_tail(self) -> str:
        log = self.directory / "ministack.log"
        lines = log.read_text(errors="replace").splitlines() if log.exists() else []
        return "\n".join(f"    {line}" for line in lines[-LOG_LINES:]) or "    (empty)"

    def _start(self) -> None:
        if not is_free(self.port):
            raise CommandError(
                f"--port must be a free port of {HOST} (got {self.port}). Omit --port to use any "
                "free port.",
                code="port-in-use",
                port=self.port,
            )
        with (self.directory / "ministack.log").open("wb") as log:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "local.emulator.child"],
                cwd=ROOT,
                env=child_environment(self.directory, self.region, self.port),
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=subprocess.STDOUT,
                # A separate group: it is killed as one, and Ctrl-C reaches only the parent.
                start_new_session=True,
            )
        deadline = time.monotonic() + START_SECONDS
        while not is_ready(self.endpoint):
            self.check()
            if time.monotonic() > deadline:
                raise CommandError(
                    f"The embedded AWS did not start within {START_SECONDS:.0f} seconds. "
                    f"The end of its log:\n{self.log_tail()}",
                    code="emulator-timeout",
                    log=self.log_tail(),
                )
            time.sleep(0.05)

    def _stop(self) -> None:
        process, self._process = self._process, None
        if process is None:
            return
        assert process.stdin is not None
        # The child kills its process group when this pipe closes.
        process.stdin.close()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def child_environment(directory: Path, region: str, port: int) -> dict[str, str]:
    """Environment of ministack and of the functions it runs; inherits almost nothing."""
    environment = {
        "PATH": os.defpath,
        "LANG": "C.UTF-8",
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "GATEWAY_PORT": str(port),
        "BIND_HOST": HOST,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "MINISTACK_ACCOUNT_ID": ACCOUNT,
        "MINISTACK_REGION": region,
        "S3_DATA_DIR": str(directory / "s3"),
        "STATE_DIR": str(directory / "state"),
        DIRECTORY_VARIABLE: str(directory),
        # Shorten the state machine's waits and the duration of an export.
        "SFN_WAIT_SCALE": "0.01",
        "MINISTACK_DDB_EXPORT_COMPLETE_AFTER_SEC": "0.5",
        # With a Docker socket, ministack removes the containers of other ministacks.
        "DOCKER_HOST": f"unix://{directory}/no-docker.sock",
        "AWS_ACCESS_KEY_ID": DUMMY_KEY,
        "AWS_SECRET_ACCESS_KEY": DUMMY_KEY,
        "AWS_CONFIG_FILE": os.devnull,
        "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        "AWS_EC2_METADATA_DISABLED": "true",
        "NO_PROXY": "*",
    }
    # Some Python builds need this variable to find libpython.
    if "LD_LIBRARY_PATH" in os.environ:
        environment["LD_LIBRARY_PATH"] = os.environ["LD_LIBRARY_PATH"]
    return environment


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        return int(probe.getsockname()[1])


def is_free(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((HOST, port)) != 0


def is_ready(endpoint: str) -> bool:
    direct = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with direct.open(f"{endpoint}/_ministack/ready", timeout=2):
            return True
    except (urllib.error.URLError, OSError):
        return False
