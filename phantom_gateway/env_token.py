"""
The token that ``phantom-gateway env`` prints: made once, and the same one each time.

Owns: the file in the state directory that holds it, readable for its owner alone. Does not own: tokens otherwise.
"""

import os
from datetime import datetime

from phantom_gateway import tokens
from phantom_gateway.installation import Installation
from phantom_gateway.records import tokens as records
from phantom_gateway.records.session import Connection
from phantom_gateway.records.users import User
from phantom_gateway.secret import Secret

NAME = "env"
"""What the token is called; ``tokens revoke env`` ends it, and the next ``env`` makes another."""


def env_token(installation: Installation, user: User, now: datetime) -> Secret:
    """
    A token of the user that is good now and does not expire: the one in the file, or a new one that is kept there.

    It is kept readable, as the user's own copy of it would be: the file is in the state directory, beside the keys.
    """
    directory = installation.config.state_directory / "tokens"
    directory.mkdir(mode=0o700, exist_ok=True)
    file = directory / str(user.id)

    def job(connection: Connection) -> Secret:
        """One at a time, because it writes: of two commands at once, the second finds what the first made."""
        kept = file.read_text(encoding="ascii").strip() if file.exists() else ""
        bearer = records.bearer(connection, tokens.hash_of(kept), now) if kept else None
        if bearer is not None and bearer.user.id == user.id:
            return Secret(kept)
        lost = records.living(connection, user.id, NAME, now)
        if lost is not None:
            records.revoke(connection, lost.id, now)
        made = tokens.make(connection, user.id, name=NAME, scopes=frozenset(), now=now, valid=None)
        draft = file.with_name(f"{file.name}.new")
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as opened:
            opened.write(made.text.reveal() + "\n")
        draft.replace(file)
        return made.text

    return installation.database.write_now(job)
