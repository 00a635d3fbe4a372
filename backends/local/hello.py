"""
The image ``hello-phantom.gz``: a tiny web server that says which machine it is.

Owns: one page. Runs as a program of its own (``python -I -S hello.py``) and imports nothing of the gateway, so that a
machine starts in some 20 ms. Never shows the user data: it may hold secrets.
"""

import _thread
import os
import signal
import socket
import sys
import time
from types import FrameType

REQUEST_BYTES_MAX = 8192
"""Of a request's head. Higher: a stranger's bytes in our memory. Lower: browsers with many cookies are cut off."""

PATIENCE_S = 5.0
"""For one visitor to send a request and take the answer. Higher: idle visitors hold threads for longer."""

VISITORS_MAX = 64
"""Waiting to be accepted. Higher: nothing. Lower: a burst of visitors is refused."""

PORT = 8080
"""Unless PHANTOM_PORT says otherwise. The address is the machine's own, so that all machines may use one port."""

PAGE = """<!DOCTYPE html>
<html lang="en"><head><meta charset="utf-8"><title>Hello from {instance}</title></head>
<body><h1>Hello from {instance}</h1>
<table>
<tr><th>instance</th><td>{instance}</td></tr>
<tr><th>cloud</th><td>{cloud}</td></tr>
<tr><th>image</th><td>{image}</td></tr>
<tr><th>instance type</th><td>{instance_type}</td></tr>
<tr><th>group</th><td>{group}</td></tr>
<tr><th>address</th><td>{address}</td></tr>
<tr><th>up for</th><td>{up_s:.1f} s</td></tr>
</table></body></html>
"""


def escaped(text: str) -> str:
    """*text* with HTML's special characters replaced; importing ``html`` would cost a tenth of the start-up."""
    return text.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;").replace('"', "&quot;")


def page(up_s: float) -> bytes:
    """The page of this machine, as the gateway's PHANTOM_ variables describe it."""
    names = {
        "instance": "PHANTOM_INSTANCE_ID",
        "cloud": "PHANTOM_CLOUD",
        "image": "PHANTOM_IMAGE",
        "instance_type": "PHANTOM_INSTANCE_TYPE",
        "group": "PHANTOM_GROUP_UID",
        "address": "PHANTOM_ADDRESS",
    }
    facts = {name: escaped(os.environ.get(variable, "unknown")) for name, variable in names.items()}
    return PAGE.format(up_s=up_s, **facts).encode()


def answer(request: bytes, up_s: float) -> bytes:
    """The whole HTTP response to the head of a request."""
    words = request.split(b"\r\n", 1)[0].split(b" ")
    method, path = (words[0], words[1]) if len(words) == 3 else (b"", b"")  # noqa: PLR2004 - method, path, version
    if method not in {b"GET", b"HEAD"}:
        status, body = b"405 Method Not Allowed", b"only GET and HEAD\n"
    elif path.split(b"?")[0] != b"/":
        status, body = b"404 Not Found", b"there is only one page: /\n"
    else:
        status, body = b"200 OK", page(up_s)
    kind = b"text/html; charset=utf-8" if status.startswith(b"200") else b"text/plain"
    head = b"HTTP/1.1 %s\r\nContent-Type: %s\r\nContent-Length: %d\r\nConnection: close\r\n\r\n"
    return head % (status, kind, len(body)) + (b"" if method == b"HEAD" else body)


def serve_visitor(visitor: socket.socket, started: float) -> None:
    """Nothing; the visitor has its page, or was too slow or too loud and is gone."""
    with visitor:
        try:
            visitor.settimeout(PATIENCE_S)
            request = b""
            while b"\r\n\r\n" not in request and len(request) < REQUEST_BYTES_MAX:
                piece = visitor.recv(REQUEST_BYTES_MAX)
                if not piece:
                    return
                request += piece
            visitor.sendall(answer(request, time.monotonic() - started))
        except OSError:
            return


def leave(_signal: int, _frame: FrameType | None) -> None:
    """Nothing; ends the process at once and in good order, visitors included."""
    os._exit(0)


def main() -> None:
    """Nothing; serves until TERM."""
    signal.signal(signal.SIGTERM, leave)
    started = time.monotonic()
    where = (os.environ.get("PHANTOM_ADDRESS", "127.0.0.1"), int(os.environ.get("PHANTOM_PORT", PORT)))
    with socket.create_server(where, backlog=VISITORS_MAX) as door:
        sys.stdout.write(f"hello from http://{where[0]}:{where[1]}/\n")
        sys.stdout.flush()
        while True:
            visitor, _ = door.accept()
            _thread.start_new_thread(serve_visitor, (visitor, started))


if __name__ == "__main__":
    main()
