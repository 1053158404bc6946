"""One JSON document from an HTTP server on a unix socket, within a time and a size.

http.client does the protocol; what it lacks is a limit on the whole: its time-out is for each read, so that a server
that sends a byte a second would hold it for ever.
"""

from __future__ import annotations

import contextlib
import http.client
import json
import socket
import time
from typing import Any, Callable, Iterator, Optional

from nettop.runtimes.facts import RuntimeTrouble

PATIENCE = 2.0
"""Seconds a whole answer may take."""
LARGEST = 1 << 20
"""Bytes of an answer that are taken."""

_CHUNK = 1 << 16


class _Connection(http.client.HTTPConnection):
    """HTTP over a unix socket."""

    def __init__(self, path: str, timeout: Optional[float]) -> None:
        super().__init__("localhost", timeout=timeout)
        self._path = path

    def connect(self) -> None:
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(self._path)


def get(path: str, url: str, patience: float = PATIENCE) -> Any:
    """The JSON document at `url` of the server that listens on `path`; None where it says 404.

    Raises RuntimeTrouble, with a clause that tells what went wrong."""
    deadline = time.monotonic() + patience
    with _talking(), contextlib.closing(_Connection(path, patience)) as connection:
        connection.request("GET", url, headers={"Connection": "close"})
        response = connection.getresponse()
        body = bytearray()
        while True:
            left = deadline - time.monotonic()
            if left <= 0:
                raise socket.timeout
            if connection.sock is not None:  # the response keeps the socket once the connection let go of it
                connection.sock.settimeout(left)
            data = response.read1(_CHUNK)
            if not data:
                break
            body += data
            if len(body) > LARGEST:
                raise RuntimeTrouble(f"its answer is larger than {LARGEST >> 20} MB")
        if response.status == http.client.NOT_FOUND:
            return None
        if response.status != http.client.OK:
            raise RuntimeTrouble(f"it answers with status {response.status}")
        return json.loads(body)


def follow(path: str, url: str, opened: Callable[[socket.socket], object]) -> Iterator[Any]:
    """JSON documents, one a line, from a stream that stays open; ends with it.

    `opened` is given the socket, for whoever wants to end the stream: shut it down. Raises RuntimeTrouble as `get`."""
    with _talking(), contextlib.closing(_Connection(path, PATIENCE)) as connection:
        connection.request("GET", url)
        stream = connection.sock
        response = connection.getresponse()
        if response.status != http.client.OK:
            raise RuntimeTrouble(f"it answers with status {response.status}")
        stream.settimeout(None)
        opened(stream)
        pending = b""
        while True:
            data = response.read1(_CHUNK)
            if not data:
                return
            *complete, pending = (pending + data).split(b"\n")
            if len(pending) > LARGEST:
                raise RuntimeTrouble(f"its answer is larger than {LARGEST >> 20} MB")
            for line in complete:
                if line.strip():
                    yield json.loads(line)


@contextlib.contextmanager
def _talking() -> Iterator[None]:
    """Whatever goes wrong in a conversation becomes RuntimeTrouble."""
    try:
        yield
    except RuntimeTrouble:
        raise
    except FileNotFoundError:
        raise RuntimeTrouble("it does not run here") from None
    except PermissionError:
        raise RuntimeTrouble("its socket may not be opened") from None
    except socket.timeout:
        raise RuntimeTrouble("it does not answer in time") from None
    except (ValueError, RecursionError):
        raise RuntimeTrouble("its answer makes no sense") from None
    except (OSError, http.client.HTTPException) as error:
        raise RuntimeTrouble(f"it cannot be asked: {error or type(error).__name__}") from None
