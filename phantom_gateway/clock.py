"""
The wall clock.

Owns: the one place in the project that reads it. Everything else is handed a time, so that tests can choose it.
"""

from datetime import UTC, datetime


def now() -> datetime:
    """The time, aware and in UTC."""
    return datetime.now(UTC)
