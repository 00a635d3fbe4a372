"""
HTTP by hand: bytes out, whole answers in, so that a test can send what no HTTP library would.

Owns: sockets, and the reading of answers with a deadline on everything. Does not own: signatures, see ``signing``.
"""

import socket
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from io import BufferedReader

ANSWER_S_MAX = 15.0
"""Longest wait for anything on a socket: the gateway gives up on slow clients after 10 s."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One final answer (never a 1xx); names of *headers* in lower case."""

    status: int
    headers: dict[str, str]
    body: bytes


def rendered(method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes = b"") -> bytes:
    """The request as bytes; *headers* as given, complete with Host and Content-Length."""
    lines = [f"{method} {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers), "", ""]
    return "\r\n".join(lines).encode("utf-8", "surrogateescape") + body


@contextmanager
def connected(port: int) -> Iterator[socket.socket]:
    """A connection to the gateway on *port*."""
    with socket.create_connection(("127.0.0.1", port), timeout=ANSWER_S_MAX) as connection:
        yield connection


def exchanged(port: int, payload: bytes, method: str = "POST") -> Answer | None:
    """The answer to *payload* on a connection of its own; None when the connection was closed without one."""
    with connected(port) as connection:
        answers = sent(connection, payload, [method])
    return answers[0] if answers else None


def sent(connection: socket.socket, payload: bytes, methods: Sequence[str]) -> list[Answer]:
    """The answers to *payload*, which holds one request for each of *methods*; fewer when the connection is closed."""
    with suppress(BrokenPipeError, ConnectionResetError):  # refused before all was sent: the answer may be there
        connection.sendall(payload)
    answers: list[Answer] = []
    with connection.makefile("rb") as reader:
        for method in methods:
            answer = read_answer(reader, method)
            if answer is None:
                break
            answers.append(answer)
    return answers


def read_answer(reader: BufferedReader, method: str = "POST") -> Answer | None:
    """The next final answer; None at the end of the connection. Raises TimeoutError when neither comes."""
    while True:
        status = _status(reader)
        if status is None:
            return None
        headers = _headers(reader)
        if status >= 200:
            length = 0 if method == "HEAD" else int(headers.get("content-length", "0"))
            return Answer(status, headers, reader.read(length))


def _status(reader: BufferedReader) -> int | None:
    try:
        line = reader.readline()
    except ConnectionResetError:
        return None
    if not line:
        return None
    version, status, _ = line.split(b" ", 2)
    assert version in {b"HTTP/0.9", b"HTTP/1.0", b"HTTP/1.1"}, line  # the version of the question is repeated
    return int(status)


def _headers(reader: BufferedReader) -> dict[str, str]:
    headers = {}
    while (line := reader.readline()) not in {b"\r\n", b""}:
        name, _, value = line.decode("latin-1").partition(":")
        assert name.lower() not in headers, f"{name} twice"
        headers[name.lower()] = value.strip()
    return headers
