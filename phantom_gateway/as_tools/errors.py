"""
Why a command did not do what it was asked for, by exit status.

Owns: the statuses. Their texts stand where they are raised.
"""

DONE = 0
NOT_DONE = 1
USED_WRONGLY = 2
INTERRUPTED = 130
"""As shells have it: 128, and SIGINT's number."""


class CommandError(Exception):
    """A command that ends with *status*; the text says why, to people."""

    status = NOT_DONE


class NotDone(CommandError):  # noqa: N818 - what happened, as elsewhere
    """The endpoint refused, could not be reached, or answered nonsense; or the user said no."""


class UsedWrongly(CommandError):  # noqa: N818 - as above
    """Nothing was sent: an option, a file or a variable is not as it has to be."""

    status = USED_WRONGLY
