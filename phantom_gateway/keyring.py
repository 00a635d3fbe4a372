"""
Secrets at rest: what the database holds is unreadable without the keys that are kept beside it.

Owns: where keys come from, their file and its permissions, encryption and its rotation. Does not own what is encrypted.
"""

import hashlib
import os
import secrets
import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import NoReturn, Self, final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from phantom_gateway.secret import Secret

KEYS_VARIABLE = "PHANTOM_GATEWAY_KEYS"
"""Environment variable with the keys, separated by commas; the first encrypts, all decrypt."""

KEYS_MAX = 16
"""Every key is tried in turn (about 5 microseconds each). More than a few mean that a rotation never finished."""

KEY_FILE_BYTES_MAX = 16 * 1024
"""Sixteen keys with a comment each fit many times; a larger file is some other file."""

_KEY_FILE_HEAD = (
    "# Keys of Phantom Gateway: the first encrypts, all decrypt. Back this file up, and show it to nobody.\n"
)

_REMEDY_LOST = (
    f"restore it from a backup, or put the keys in ${KEYS_VARIABLE}; a new key cannot open what an older one encrypted"
)


class KeyringError(Exception):
    """There is no usable key, or not the right one. The text says what to do and shows no key."""


@final
class Keyring:
    """
    The keys in use: the first encrypts, all decrypt.

    Raises KeyringError: no key, too many, or one that is not a Fernet key (32 bytes, URL-safe base64).
    """

    __slots__ = ("_fernet", "_origin", "key_ids")

    key_ids: tuple[str, ...]
    """Short hashes that tell keys apart in messages without showing them."""

    def __init__(self, keys: Sequence[Secret], origin: str) -> None:
        if not keys:
            raise KeyringError(f"{origin} holds no key; {_REMEDY_LOST}")
        if len(keys) > KEYS_MAX:
            raise KeyringError(f"{origin} holds {len(keys)} keys; keep the newest, at most {KEYS_MAX}")
        self._fernet = MultiFernet([_fernet(key, place, origin) for place, key in enumerate(keys, start=1)])
        self._origin = origin
        self.key_ids = tuple(_key_id(key) for key in keys)

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.key_ids)})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Keyring is not serialised: it holds the keys")

    @classmethod
    def open(cls, path: Path, environ: Mapping[str, str], *, must_exist: bool = False) -> Self:
        """
        The keys of ``$PHANTOM_GATEWAY_KEYS``, else of the file *path*, which the first start creates.

        With *must_exist* no file is created: there are secrets already, and a new key would not open them.

        Raises KeyringError: the keys are missing, malformed, unreadable, or readable by others.
        """
        given = environ.get(KEYS_VARIABLE)
        if given is not None:
            # Set but empty is refused by the constructor: falling back to a new file would make secrets unreadable.
            keys = [Secret(part) for part in (piece.strip() for piece in given.split(",")) if part]
            return cls(keys, f"${KEYS_VARIABLE}")
        origin = f"the key file {path}"
        text = _read(path)
        if text is None and must_exist:
            raise KeyringError(f"{origin} is missing, but there are secrets that it encrypted; {_REMEDY_LOST}")
        if text is None:
            _create(path)
            text = _read(path) or ""
        lines = (line.strip() for line in text.splitlines())
        return cls([Secret(line) for line in lines if line and not line.startswith("#")], origin)

    def encrypt(self, secret: Secret) -> str:
        """A token that holds *secret*, in ASCII; another one each time."""
        return self._fernet.encrypt(secret.reveal().encode("utf-8", "surrogatepass")).decode("ascii")

    def decrypt(self, token: str) -> Secret:
        """
        The secret that *token* holds.

        Raises KeyringError: no key here opens it.
        """
        try:
            octets = self._fernet.decrypt(_octets(token))
        except InvalidToken as error:
            raise KeyringError(self._not_ours()) from error
        return Secret(octets.decode("utf-8", "surrogatepass"))

    def rotate(self, token: str) -> str:
        """
        A token for the same secret, encrypted with the first key. Its age stays that of *token*.

        Raises KeyringError: no key here opens it.
        """
        try:
            return self._fernet.rotate(_octets(token)).decode("ascii")
        except InvalidToken as error:
            raise KeyringError(self._not_ours()) from error

    def _not_ours(self) -> str:
        return (
            f"a stored secret cannot be opened with the keys of {self._origin} (ids: {', '.join(self.key_ids)}): "
            "it was encrypted with another key, or damaged; add the key that encrypted it after the first one, "
            "and start again"
        )


def new_key() -> Secret:
    """A fresh key, for a key file or the environment."""
    return Secret(Fernet.generate_key().decode("ascii"))


def _fernet(key: Secret, place: int, origin: str) -> Fernet:
    """The cipher of *key*, the one at *place* in *origin*; KeyringError when it is no key."""
    try:
        return Fernet(key.reveal())
    except ValueError:
        # "from None": the cause's text, and a debugger's view of it, may hold pieces of the key.
        raise KeyringError(
            f"key {place} of {origin} is not a key: 32 bytes in URL-safe base64 are expected, 44 characters in all"
        ) from None


def _key_id(key: Secret) -> str:
    """Eight hex digits that tell *key* from others; 32 bits of a hash give nothing away of 256 random ones."""
    return hashlib.sha256(b"phantom-gateway key id:" + key.reveal().encode()).hexdigest()[:8]


def _octets(token: str) -> bytes:
    """*token* as bytes; what is not ASCII becomes '?', which no token holds, and is refused as damaged."""
    return token.encode("ascii", "replace")


def _read(path: Path) -> str | None:
    """The text of the key file, None when there is none; KeyringError when it cannot or must not be read."""
    try:
        # Without O_NONBLOCK, opening a pipe would wait for its other end instead of being refused below.
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return None
    except OSError as error:
        raise KeyringError(
            f"cannot read the key file {path}: {error.strerror}; make it readable for this user, "
            f"or put the keys in ${KEYS_VARIABLE}"
        ) from error
    try:
        _check_mode(path, os.fstat(descriptor).st_mode)
        octets = os.read(descriptor, KEY_FILE_BYTES_MAX + 1)  # of a regular file: all there is, up to the limit
    finally:
        os.close(descriptor)
    if len(octets) > KEY_FILE_BYTES_MAX or not octets.isascii():
        raise KeyringError(f"the key file {path} does not look like one: it holds one key in base64 per line")
    return octets.decode("ascii")


def _check_mode(path: Path, mode: int) -> None:
    """Nothing; KeyringError when *path* is no regular file, or one that others may use."""
    if not stat.S_ISREG(mode):
        raise KeyringError(f"the key file {path} is not a file; move it away, or name another state directory")
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyringError(
            f"the key file {path} is open to other users (mode {stat.S_IMODE(mode):04o}); run: chmod 600 {path}"
        )


def _create(path: Path) -> None:
    """
    Nothing; *path* then holds a key, ours or that of a gateway that started at the same time.

    Written beside and linked into place: the link fails where a file exists (so no key is ever overwritten), and a
    crash at any moment leaves either no key file or a whole one.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        try:
            with os.fdopen(descriptor, "w", encoding="ascii") as file:
                os.fchmod(file.fileno(), 0o600)  # whatever the umask
                file.write(_KEY_FILE_HEAD + new_key().reveal() + "\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(draft, path)
        finally:
            draft.unlink()
        _settle(path.parent)
    except FileExistsError:
        return
    except OSError as error:
        raise KeyringError(
            f"cannot create the key file {path}: {error.strerror}; make its directory writable for this user, "
            f"or put a key in ${KEYS_VARIABLE}"
        ) from error


def _settle(directory: Path) -> None:
    """Nothing; the names in *directory* are on the disk: secrets encrypted from now on need the key after a crash."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
