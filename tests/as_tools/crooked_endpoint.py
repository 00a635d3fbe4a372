"""
An endpoint of one answer, whatever is asked: for what no gateway ever says.

Owns: a real HTTP server on a free port, and what it was asked.
"""

import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from urllib.parse import parse_qsl

Answer = tuple[int, dict[str, str], bytes]

SILENCE: Answer = (0, {}, b"")
"""The connection is taken and closed without a word."""


@dataclass
class Crooked:
    """What it was asked, as forms, in order; *url* is where it is."""

    url: str
    answers: list[Answer]
    asked: list[dict[str, str]] = field(default_factory=list)


@contextmanager
def crooked(*answers: bytes | Answer, tls: ssl.SSLContext | None = None) -> Iterator[Crooked]:
    """
    A server that gives *answers* in turn, the last one for ever; a bare body is an answer of status 200.

    With *tls* it is reached as localhost, by HTTPS alone.
    """
    full = [(200, {}, answer) if isinstance(answer, bytes) else answer for answer in answers]
    state = Crooked("", full)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["content-length"])).decode()
            state.asked.append(dict(parse_qsl(body, keep_blank_values=True)))
            status, headers, content = full[min(len(state.asked), len(full)) - 1]
            if status == 0:
                self.connection.close()
                return
            self.send_response(status)
            for name, value in ({"Content-Length": str(len(content))} | headers).items():
                self.send_header(name, value)
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_words: object) -> None:
            """Nothing: the tests read what was asked from the state."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    if tls is not None:
        server.socket = tls.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    state.url = f"{'http://127.0.0.1' if tls is None else 'https://localhost'}:{server.server_address[1]}"
    try:
        yield state
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
