"""A name server that is slow, lies, or says nothing: whoever asks for a name never waits, and no such name is shown."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = [
    pytest.mark.root,
    pytest.mark.skipif(os.geteuid() != 0, reason="a name server of its own needs root: namespaces, and port 53"),
    pytest.mark.skipif(shutil.which("ip") is None, reason="ip (iproute2) is not installed"),
    pytest.mark.skipif(not os.path.exists("/etc/hosts"), reason="no /etc/hosts to put another one over"),
]

# In a mount and a network namespace of its own, the C library is told of a name server there and of nobody else.
STAGE = """
for file in resolv.conf nsswitch.conf hosts; do
    touch /etc/$file && mount --bind $0/$file /etc/$file || exit 1
done
ip link set lo up && exec "$@"
"""
SLOW, CONTROL, ADDRESS, MARKUP, SILENT, ABSENT = (f"192.0.2.{number}" for number in range(1, 7))
LISTED = "192.0.2.99"
ANSWERS = {
    SLOW: ["slow", "example", "net"],
    CONTROL: ["\x1b[31mred", "example"],
    ADDRESS: ["10", "0", "0", "1"],
    MARKUP: ["[bold]loud", "example"],
    ABSENT: [],
}

# Serves the answers, and asks for them as a screen does: one line with what came, and how long an asking took at most.
ASKS = """
import json, socket, sys, threading, time
from nettop.names import Hosts
answers, addresses = json.loads(sys.argv[1]), json.loads(sys.argv[2])
server = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
server.bind(("127.0.0.1", 53))

def encode(labels):
    return b"".join(bytes([len(label)]) + label.encode() for label in labels) + b"\\0"

def serve():
    while True:
        question, whom = server.recvfrom(512)
        labels, offset = [], 12
        while question[offset]:
            labels.append(question[offset + 1 : offset + 1 + question[offset]].decode())
            offset += 1 + question[offset]
        name = answers.get(".".join(reversed(labels[:4])))
        if name is not None:
            threading.Timer(0.3, server.sendto, (reply(question[: offset + 5], name), whom)).start()

def reply(question, name):
    flags = b"\\x81\\x80" if name else b"\\x81\\x83"  # an answer, or NXDOMAIN
    head = question[:2] + flags + bytes([0, 1, 0, bool(name), 0, 0, 0, 0]) + question[12:]
    told = encode(name)
    return head + (b"\\xc0\\x0c\\0\\x0c\\0\\x01\\0\\0\\0\\x3c" + len(told).to_bytes(2, "big") + told if name else b"")

threading.Thread(target=serve, daemon=True).start()
hosts, longest, seen = Hosts(), 0.0, set()
deadline = time.monotonic() + 20
settled = None
while time.monotonic() < (settled or deadline):
    for address in addresses:
        before = time.thread_time(), time.monotonic()
        name = hosts.host(address)
        longest = max(longest, time.monotonic() - before[1])
        if name is not None:
            seen.add((address, name))
    if settled is None and len(seen) > 1:
        settled = time.monotonic() + 1.5  # the lies were told at the same time
    time.sleep(0.01)
print(json.dumps([longest, sorted(seen)]))
"""


@pytest.fixture
def told(tmp_path: Path) -> Any:
    (tmp_path / "resolv.conf").write_text("nameserver 127.0.0.1\noptions timeout:30 attempts:1\n")
    (tmp_path / "nsswitch.conf").write_text("hosts: files dns\nservices: files\n")
    (tmp_path / "hosts").write_text(f"{LISTED} listed.example\n")
    asking = [SILENT, SLOW, CONTROL, ADDRESS, MARKUP, ABSENT, LISTED]
    python = [sys.executable, "-c", ASKS, json.dumps(ANSWERS), json.dumps(asking)]
    command = ["unshare", "--mount", "--net", "sh", "-c", STAGE, str(tmp_path), *python]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    if done.stderr.startswith(("unshare:", "mount:")):
        pytest.skip(f"not possible here: {done.stderr.strip()}")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_nobody_waits_for_a_name_and_what_could_not_be_one_is_not_shown(told: Any) -> None:
    longest, names = told
    assert dict(names) == {SLOW: "slow.example.net", LISTED: "listed.example"}
    assert longest < 0.2, "less than the fastest answer takes"
