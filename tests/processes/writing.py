"""
Writers that keep on writing while a database dies under them, and know what they were told.

Owns: what they were told. Does not own: what becomes of the database.
"""

import threading
from collections.abc import Callable

from tests.processes.calls import Client, Lost, Refusal


class Writer(threading.Thread):
    """Makes launch configurations, one after the other, and remembers those of which it was told that they exist."""

    def __init__(self, port: int, number: int) -> None:
        super().__init__(daemon=True)
        self.client = Client(port)
        self.number = number
        self.told: list[str] = []
        self.refusals: set[str] = set()
        self.ended = threading.Event()

    def run(self) -> None:
        """Nothing, once *ended* is set."""
        count = 0
        while not self.ended.is_set():
            count += 1
            name = f"lc-{self.number}-{count}@hotel"
            try:
                self.client.make_launch_configuration(name, "ami-00000000000000001")
            except (Refusal, Lost, OSError) as error:
                code = str(error).partition("<Code>")[2].partition("<")[0] or type(error).__name__
                self.refusals.add(code)
                if code == "LimitExceeded":
                    return
            else:
                self.told.append(name)


def ok(step: Callable[[], object]) -> bool:
    """Whether *step* is answered, and not with an error."""
    try:
        step()
    except (Refusal, Lost):
        return False
    return True
