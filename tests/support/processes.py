"""Members, environments and sockets of a process group, from /proc."""

import os
import signal
import socket
import struct
import subprocess
import time
from collections.abc import Callable
from pathlib import Path

LISTENING = "0A"


def members(group: int) -> list[int]:
    """Return the processes of a group."""
    pids = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                stat = (entry / "stat").read_text()
            except (FileNotFoundError, ProcessLookupError):
                continue
            # The name in parentheses may have spaces; state, parent and group follow.
            state, _, group_of_pid = stat.rpartition(")")[2].split()[:3]
            if int(group_of_pid) == group and state != "Z":
                pids.append(int(entry.name))
    return pids


def environment(pid: int) -> dict[str, str]:
    pairs = Path(f"/proc/{pid}/environ").read_bytes().decode().split("\0")
    return dict(pair.split("=", 1) for pair in pairs if "=" in pair)


def listening_addresses(group: int) -> set[str]:
    """Return the TCP and UDP addresses on which a group listens."""
    inodes = {inode for pid in members(group) for inode in sockets(pid)}
    addresses = set()
    for table in ("tcp", "tcp6", "udp", "udp6"):
        for line in Path(f"/proc/net/{table}").read_text().splitlines()[1:]:
            fields = line.split()
            address, state, inode = fields[1].partition(":")[0], fields[3], fields[9]
            if inode in inodes and (state == LISTENING or table.startswith("udp")):
                addresses.add(readable(address))
    return addresses


def sockets(pid: int) -> set[str]:
    inodes = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = os.readlink(entry)
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            inodes.add(target[len("socket:[") : -1])
    return inodes


def readable(address: str) -> str:
    """Format an address in the kernel's notation, words in byte order."""
    words = [int(address[start : start + 8], 16) for start in range(0, len(address), 8)]
    family = socket.AF_INET if len(words) == 1 else socket.AF_INET6
    return socket.inet_ntop(family, b"".join(struct.pack("=I", word) for word in words))


def wait_until(condition: Callable[[], bool], seconds: float = 10.0) -> bool:
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def end(process: subprocess.Popen[str], signal_: signal.Signals = signal.SIGKILL) -> None:
    """End a process that a test has started."""
    if process.poll() is None:
        process.send_signal(signal_)
        process.wait(20)
