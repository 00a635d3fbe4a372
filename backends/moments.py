"""
Moments as clouds write them.

Owns: reading one. Does not own: what it is the moment of.
"""

from datetime import UTC, datetime


def moment_of(text: str, otherwise: datetime) -> datetime:
    """The moment *text* names, in UTC where it names no zone; *otherwise* when it names none."""
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return otherwise
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
