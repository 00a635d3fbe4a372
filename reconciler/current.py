"""
Whose pass is running: a word for the log, on every line that a pass leaves, its calls to clouds included.

Owns: the one variable. Does not own: logs; whoever writes them reads it.
"""

from contextvars import ContextVar

group_name: ContextVar[str | None] = ContextVar("group_name", default=None)
"""The group's name, as its user gave it; None outside a pass. Tasks that a pass begins inherit it."""
