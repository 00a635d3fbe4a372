"""
A request as the bytes that were signed.

Owns: the one shape in which a request enters this package. Does not own: sockets, or any framework's request.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Request:
    """
    One HTTP request, undecoded: a signature covers these bytes and no prettier form of them.

    *headers* hold lower-cased names and values as sent, in the order of arrival. *path* and *query* are the raw
    halves of the request target around the first ``?``; *query* is ``""`` when there was none.
    """

    method: str
    path: str
    query: str
    headers: tuple[tuple[str, str], ...]
    body: bytes = b""

    def header(self, name: str) -> str | None:
        """First value of the header called *name* (lower case), or None when it was not sent."""
        for key, value in self.headers:
            if key == name:
                return value
        return None

    def header_values(self, name: str) -> list[str]:
        """Every value of the header called *name* (lower case), in the order of arrival."""
        return [value for key, value in self.headers if key == name]
