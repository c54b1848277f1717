"""A stand-in for Firehose on the loopback that accepts every record."""

import contextlib
import json
import os
import subprocess
import sys
import threading
import urllib.request
from base64 import b64decode
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple

from tools.bench.candidate import DELIVERY_STREAM

# Firehose bills each record rounded up to 5 KB.
# https://aws.amazon.com/firehose/pricing/
BILLED_STEP = 5_120


class Received(NamedTuple):
    """Totals of what the stub has received."""

    records: int = 0
    changes: int = 0
    billed_bytes: int = 0


class Stub:
    """A running stub."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}"

    def received(self) -> Received:
        """The totals since the last call of this method."""
        with urllib.request.urlopen(self.url, timeout=30) as response:
            return Received(*json.load(response))

    def environment(self) -> dict[str, str]:
        """The environment of both forwarders, with boto3 directed to the stub."""
        return {
            "DELIVERY_STREAM": DELIVERY_STREAM,
            "AWS_ENDPOINT_URL_FIREHOSE": self.url,
            "AWS_ACCESS_KEY_ID": "bench",
            "AWS_SECRET_ACCESS_KEY": "bench",
            "AWS_DEFAULT_REGION": "ap-northeast-1",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
            "NO_PROXY": "127.0.0.1",
        }


@contextlib.contextmanager
def running() -> Iterator[Stub]:
    """Start a stub that ends with the block or with this process."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tools.bench.stub"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
    )
    assert process.stdout is not None
    with process:
        yield Stub(int(process.stdout.readline()))


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    received = Received()
    lock = threading.Lock()


class _Connection(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    # Head and body in one segment.
    wbufsize = -1
    server: _Server

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        records = json.loads(body)["Records"]
        responses = [{"RecordId": f"{number:056}"} for number in range(len(records))]
        response = {"FailedPutCount": 0, "Encrypted": False, "RequestResponses": responses}
        # Locked before the response, so that later totals include this call.
        with self.server.lock:
            self._respond(json.dumps(response).encode(), "application/x-amz-json-1.1")
            contents = [b64decode(record["Data"]) for record in records]
            billed = sum(-(-len(content) // BILLED_STEP) * BILLED_STEP for content in contents)
            changes = sum(content.count(b"\n") for content in contents)
            call = Received(len(records), changes, billed)
            totals = zip(self.server.received, call, strict=True)
            self.server.received = Received(*(before + new for before, new in totals))

    def do_GET(self) -> None:
        with self.server.lock:
            self._respond(json.dumps(self.server.received).encode(), "application/json")
            self.server.received = Received()

    def _respond(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    def log_message(self, *_: object) -> None:
        pass


def main() -> None:
    server = _Server(("127.0.0.1", 0), _Connection)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.server_port, flush=True)
    # Ends when the parent closes the pipe or exits.
    sys.stdin.read()


if __name__ == "__main__":
    main()
