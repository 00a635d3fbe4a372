"""
Threads for blocking steps, where the kernel may refuse another one (``ulimit -u``, a cgroup's ``pids.max``).

Owns: that a step is either done or was never begun. Python's own executor queues a step before it starts a thread for
it: when that fails its caller is told so, and the step is done later all the same, by whichever thread comes next. A
launch that was given up would be made. Does not own: what the steps do.
"""

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, ParamSpec, TypeVar

log = logging.getLogger(__name__)

P = ParamSpec("P")
T = TypeVar("T")


class Threads(ThreadPoolExecutor):
    """
    At most *count* threads, started when they are needed, or all at once by :meth:`fill`.

    Where no more can be started, steps wait for those that there are. Without any, ``submit`` raises RuntimeError, as
    after ``shutdown``, and the step is never done.
    """

    def __init__(self, count: int, name: str) -> None:
        super().__init__(count, thread_name_prefix=name)
        self._count = count
        self._name = name
        self._has_any = False
        self._is_shut = False
        self._due: set[Future[Any]] = set()
        """Outcomes of steps that are not over: Python's own executor knows only its half of them."""
        self._is_short = False

    def fill(self) -> None:
        """Nothing; as many threads run as there may be, so that later none is needed. Raises RuntimeError: not one."""
        ready = threading.Event()
        try:
            for _ in range(self._count):
                self.submit(ready.wait)
        finally:
            ready.set()

    def submit(self, step: Callable[P, T], /, *args: P.args, **kwargs: P.kwargs) -> "Future[T]":
        """What *step* will return. Raises RuntimeError, see above."""
        outcome: Future[T] = Future()
        self._due.add(outcome)
        outcome.add_done_callback(self._due.discard)
        try:
            super().submit(_take, outcome, step, args, kwargs)
        except RuntimeError:
            if self._is_shut or not self._has_any:
                outcome.cancel()
                raise
            self._tell(is_short=True)
        else:
            self._has_any = True
            self._tell(is_short=False)
        return outcome

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """See the executor."""
        self._is_shut = True
        for outcome in list(self._due) if cancel_futures else ():
            outcome.cancel()
        super().shutdown(wait)

    def _tell(self, *, is_short: bool) -> None:
        if is_short and not self._is_short:
            log.warning("threads.too_few", extra={"pool": self._name, "wanted": self._count})
        self._is_short = is_short


def _take(outcome: "Future[T]", step: Callable[..., T], args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
    """Nothing; *outcome* is that of *step*, unless nobody waits for it any more."""
    if not outcome.set_running_or_notify_cancel():
        return
    try:
        outcome.set_result(step(*args, **kwargs))
    except BaseException as error:  # noqa: BLE001 - it belongs to whoever waits, as in Python's own executor
        outcome.set_exception(error)
    finally:
        del outcome, args, kwargs  # the error knows this frame, and would be kept by what it is in
