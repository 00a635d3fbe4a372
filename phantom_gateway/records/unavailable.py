"""
What is told of a database that cannot be used.

Owns: two errors that every way to a database shares.
"""


class RecordsUnavailable(Exception):  # noqa: N818 - it names a condition of the store, which a caller waits out
    """The database cannot be used now: full, read-only, locked or gone. Nothing of the job is known to be kept."""


class SchemaUnknownError(Exception):
    """A newer version has changed the database's schema to one that this version does not know."""


class RecordsDamagedError(Exception):
    """The file is no database, or parts of it make no sense. Nothing was changed."""
