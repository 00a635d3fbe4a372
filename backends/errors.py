"""
What can go wrong with a cloud, named by the caller's next move.

Owns: these names. An adapter translates its SDK's exceptions into these and nothing else leaves it. The text is shown
to people in scaling activities: it says what the cloud said, and holds no secret.
"""


class CloudError(Exception):
    """Base of everything a cloud may answer instead of doing what was asked."""


class NoCapacity(CloudError):  # noqa: N818 - named by the next move, not by "Error"
    """The cloud is full, or a quota is used up. Next move: another cloud, this one later."""


class Throttled(CloudError):  # noqa: N818 - named by the next move, not by "Error"
    """Too many calls. Next move: the same call after *retry_after_s*."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Refused(CloudError):  # noqa: N818 - named by the next move, not by "Error"
    """The request itself is wrong (image, type, credentials). Next move: stop, and tell the user why."""


class Unreachable(CloudError):  # noqa: N818 - named by the next move, not by "Error"
    """The call certainly did not happen, and nothing can be seen. Next move: wait; silence is not death."""


class Ambiguous(CloudError):  # noqa: N818 - named by the next move, not by "Error"
    """The call may have happened. Next move: look, and repeat it with the *same* token; never launch anew."""


class Gone(CloudError):  # noqa: N818 - named by the next move, not by "Error"
    """The thing named does not exist any more. Next move: none, it is done."""
