"""
Real moto servers, each a process of its own: an EC2 endpoint that we did not write.

Owns: their start and their end. moto keeps tokens without honouring them, and terminates at once (measured, 5.2.5).
"""

import contextlib
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator

from tests.support.waiting import wait_for


@contextlib.contextmanager
def moto() -> Iterator[str]:
    """The URL of a running moto server."""
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as taken:
        port = taken.getsockname()[1]
    url = f"http://127.0.0.1:{port}"
    program = "from moto.server import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", program, "-H", "127.0.0.1", "-p", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        wait_for(lambda: process.poll() is not None or _answers(url), f"moto at {url}")
        assert process.poll() is None, "moto did not start"
        yield url
    finally:
        process.terminate()
        process.wait(timeout=10)


def reset(url: str) -> None:
    """Nothing; the server has forgotten everything."""
    with urllib.request.urlopen(urllib.request.Request(f"{url}/moto-api/reset", method="POST"), timeout=10):
        pass


def _answers(url: str) -> bool:
    try:
        with urllib.request.urlopen(f"{url}/moto-api/", timeout=1):
            return True
    except OSError:
        return False
