"""
Secrets at rest: what the database holds is unreadable without the keys that are kept beside it.

Owns: where keys come from, their file and its permissions, encryption and its rotation. Does not own what is encrypted.
"""

import fcntl
import hashlib
import logging
import os
import secrets
import stat
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn, Self, final

from cryptography.fernet import Fernet, InvalidToken, MultiFernet

from phantom_gateway.secret import Secret

log = logging.getLogger(__name__)

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

    __slots__ = ("_file", "_origin", "_seen", "_set")

    def __init__(self, keys: Sequence[Secret], origin: str) -> None:
        self._origin = origin
        self._set = _KeySet(keys, origin)
        self._file: Path | None = None
        self._seen: _Look | None = None

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self.key_ids)})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Keyring is not serialised: it holds the keys")

    @classmethod
    def open(cls, path: Path, environ: Mapping[str, str], *, must_exist: bool = False) -> Self:
        """
        The keys of ``$PHANTOM_GATEWAY_KEYS``, else of the file *path*, which the first start creates.

        With *must_exist* no file is created: there are secrets already, and a new key would not open them. When the
        file changes later, its keys are used from then on.

        Raises KeyringError: the keys are missing, malformed, unreadable, or readable by others.
        """
        given = environ.get(KEYS_VARIABLE)
        if given is not None:
            # Set but empty is refused by the constructor: falling back to a new file would make secrets unreadable.
            keys = [Secret(part) for part in (piece.strip() for piece in given.split(",")) if part]
            return cls(keys, f"${KEYS_VARIABLE}")
        origin = _origin_of(path)
        seen, text = _look(path), _read(path)
        if text is None and must_exist:
            raise KeyringError(f"{origin} is missing, but there are secrets that it encrypted; {_REMEDY_LOST}")
        if text is None:
            _create(path)
            seen, text = _look(path), _read(path) or ""
        keyring = cls(_keys_in(text), origin)
        keyring._file, keyring._seen = path, seen
        return keyring

    @property
    def key_ids(self) -> tuple[str, ...]:
        """Short hashes that tell keys apart in messages without showing them; the first key's first."""
        return self._set.ids

    @property
    def file(self) -> Path | None:
        """The key file; None when the keys came from elsewhere."""
        return self._file

    def encrypt(self, secret: Secret) -> str:
        """A token that holds *secret*, in ASCII; another one each time."""
        self._follow()
        return self._set.fernet.encrypt(secret.reveal().encode("utf-8", "surrogatepass")).decode("ascii")

    def decrypt(self, token: str) -> Secret:
        """
        The secret that *token* holds.

        Raises KeyringError: no key here opens it.
        """
        try:
            octets = self._set.fernet.decrypt(_octets(token))
        except InvalidToken:
            self._follow()
            try:
                octets = self._set.fernet.decrypt(_octets(token))
            except InvalidToken as error:
                raise KeyringError(self._not_ours()) from error
        return Secret(octets.decode("utf-8", "surrogatepass"))

    def rotate(self, token: str) -> str:
        """
        A token for the same secret, encrypted with the first key. Its age stays that of *token*.

        Raises KeyringError: no key here opens it.
        """
        self._follow()
        try:
            return self._set.fernet.rotate(_octets(token)).decode("ascii")
        except InvalidToken as error:
            raise KeyringError(self._not_ours()) from error

    def opener(self, token: str) -> str | None:
        """The id of the key that opens *token*; None when there is none here."""
        self._follow()
        return next((key_id for key_id, one in self._set.singly.items() if _opens(one, token)), None)

    def add_key(self) -> str:
        """
        The id of a new key, which encrypts from now on, here and in every process that uses the same file.

        The file is replaced by a whole one: whoever reads it meanwhile gets the keys of before or of after.

        Raises KeyringError: the keys are not in a file, there are too many, or it cannot be written.
        """
        path = self._file
        if path is None:
            raise KeyringError(f"{self._origin} is not a file that a key can be added to; put the new key first there")
        with _locked(path.parent):
            text = _read(path)
            if text is None:
                raise KeyringError(f"{self._origin} is missing; {_REMEDY_LOST}")
            key = new_key()
            keys = [key, *_keys_in(text)]
            if len(keys) > KEYS_MAX:
                raise KeyringError(
                    f"{self._origin} holds {len(keys) - 1} keys already; delete those that seal nothing any more "
                    "(phantom-gateway keys list)"
                )
            _replace(path, _with_first(key, text))
        self._follow()
        return _key_id(key)

    def _follow(self) -> None:
        """Nothing; the keys are those that the file holds now. A file that is no key file changes nothing."""
        if self._file is None:
            return
        look = _look(self._file)
        if look is None or look == self._seen:
            return
        # Noted first: a file that cannot be used is looked into once, not for every token.
        self._seen = look
        try:
            self._set = _KeySet(_keys_in(_read(self._file) or ""), self._origin)
        except KeyringError as error:
            log.warning("keys.not_read", extra={"reason": str(error)})
        else:
            log.info("keys.read_again", extra={"key_ids": list(self._set.ids)})

    def _not_ours(self) -> str:
        return (
            f"a stored secret cannot be opened with the keys of {self._origin} (ids: {', '.join(self.key_ids)}): "
            "it was encrypted with another key, or damaged; add the key that encrypted it after the first one, "
            "and start again"
        )


_Look = tuple[int, int, int]
"""What tells one state of a file from another without reading it."""


class _KeySet:
    """Keys that were read together, replaced as a whole: threads use a keyring at the same time."""

    __slots__ = ("fernet", "ids", "singly")

    def __init__(self, keys: Sequence[Secret], origin: str) -> None:
        if not keys:
            raise KeyringError(f"{origin} holds no key; {_REMEDY_LOST}")
        if len(keys) > KEYS_MAX:
            raise KeyringError(f"{origin} holds {len(keys)} keys; keep the newest, at most {KEYS_MAX}")
        ciphers = [_fernet(key, place, origin) for place, key in enumerate(keys, start=1)]
        self.fernet = MultiFernet(ciphers)
        self.ids = tuple(_key_id(key) for key in keys)
        self.singly = dict(zip(self.ids, ciphers, strict=True))


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


def _opens(cipher: Fernet, token: str) -> bool:
    """Whether *cipher* alone opens *token*."""
    try:
        cipher.decrypt(_octets(token))
    except InvalidToken:
        return False
    return True


def _octets(token: str) -> bytes:
    """*token* as bytes; what is not ASCII becomes '?', which no token holds, and is refused as damaged."""
    return token.encode("ascii", "replace")


def _origin_of(path: Path) -> str:
    return f"the key file {path}"


def _keys_in(text: str) -> list[Secret]:
    """The keys in the text of a key file, in their order."""
    lines = (line.strip() for line in text.splitlines())
    return [Secret(line) for line in lines if line and not line.startswith("#")]


def _with_first(key: Secret, text: str) -> str:
    """The *text* of a key file with *key* before the others; comments stay where they are."""
    lines = text.splitlines()
    place = next((i for i, line in enumerate(lines) if line.strip() and not line.strip().startswith("#")), len(lines))
    return "\n".join([*lines[:place], key.reveal(), *lines[place:]]) + "\n"


def _look(path: Path) -> _Look | None:
    """Which state of the key file there is; None when there is none to be seen."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns, found.st_size


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

    Linked into place: the link fails where a file exists, so no key is ever overwritten.
    """
    try:
        path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        with _draft(path, _KEY_FILE_HEAD + new_key().reveal() + "\n") as draft:
            os.link(draft, path)
        _settle(path.parent)
    except FileExistsError:
        return
    except OSError as error:
        raise KeyringError(
            f"cannot create the key file {path}: {error.strerror}; make its directory writable for this user, "
            f"or put a key in ${KEYS_VARIABLE}"
        ) from error


def _replace(path: Path, text: str) -> None:
    """Nothing; *path* then holds *text*, and did hold a whole file all the time."""
    try:
        with _draft(path, text) as draft:
            draft.replace(path)
        _settle(path.parent)
    except OSError as error:
        raise KeyringError(
            f"cannot replace the key file {path}: {error.strerror}; make its directory writable for this user"
        ) from error


@contextmanager
def _draft(path: Path, text: str) -> Iterator[Path]:
    """
    A file beside *path* with *text*, on the disk, for this user alone; it is gone afterwards unless it was moved.

    Written beside: a crash at any moment leaves either no key file, the one before, or a whole new one.
    """
    draft = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
    descriptor = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            os.fchmod(file.fileno(), 0o600)  # whatever the umask
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        yield draft
    finally:
        draft.unlink(missing_ok=True)


@contextmanager
def _locked(directory: Path) -> Iterator[None]:
    """Inside the block nobody else changes the key file there: of two changes at once, one key would be lost."""
    try:
        descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise KeyringError(f"cannot open {directory}: {error.strerror}; make it readable for this user") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def _settle(directory: Path) -> None:
    """Nothing; the names in *directory* are on the disk: secrets encrypted from now on need the key after a crash."""
    descriptor = os.open(directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
