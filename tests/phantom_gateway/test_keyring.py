"""The keyring: where keys come from, what is refused, and that rotation loses nothing."""

import os
import pickle
import stat
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from phantom_gateway.keyring import KEY_FILE_BYTES_MAX, KEYS_MAX, KEYS_VARIABLE, Keyring, KeyringError, new_key
from phantom_gateway.secret import Secret

HUSH = Secret("correct horse")
OLD, NEW = new_key().reveal(), new_key().reveal()


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """A place for a key file, in a directory that does not exist yet."""
    return tmp_path / "state" / "keys"


@pytest.fixture
def wide_umask() -> Iterator[None]:
    """A process that creates files for everybody."""
    before = os.umask(0)
    yield
    os.umask(before)


def written(path: Path, text: str, mode: int = 0o600) -> Path:
    """*path* with *text* in it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(mode)
    return path


def of(*keys: str) -> Keyring:
    """A keyring of the environment."""
    return Keyring.open(Path("/nonexistent"), {KEYS_VARIABLE: ",".join(keys)})


def test_the_first_start_creates_a_key_that_only_we_can_read(key_file: Path, wide_umask: None) -> None:
    """File and directory are closed to others whatever the umask, and the next start uses the same key."""
    token = Keyring.open(key_file, {}).encrypt(HUSH)

    assert Keyring.open(key_file, {}).decrypt(token) == HUSH
    assert stat.S_IMODE(key_file.stat().st_mode) == 0o600
    assert stat.S_IMODE(key_file.parent.stat().st_mode) == 0o700
    assert list(key_file.parent.iterdir()) == [key_file]


def test_starts_at_the_same_time_agree_on_one_key(key_file: Path) -> None:
    """However many gateways start at once, what one encrypts the others can open."""
    with ThreadPoolExecutor(8) as pool:
        keyrings = list(pool.map(lambda _: Keyring.open(key_file, {}), range(8)))

    assert len({keyring.key_ids for keyring in keyrings}) == 1
    assert list(key_file.parent.iterdir()) == [key_file]


def test_keys_of_the_environment_come_before_the_file(key_file: Path) -> None:
    """With keys in the environment no file is read or made."""
    keyring = Keyring.open(key_file, {KEYS_VARIABLE: f" {NEW} , {OLD},"}, must_exist=True)

    assert keyring.key_ids == of(NEW, OLD).key_ids
    assert not key_file.exists()


def test_a_key_file_may_hold_comments_and_older_keys(key_file: Path) -> None:
    """One key a line, the first one encrypts; comments and empty lines do not count."""
    written(key_file, f"# new\n{NEW}\n\n# old, since March\n  {OLD}\n")

    assert Keyring.open(key_file, {}).key_ids == of(NEW, OLD).key_ids


@pytest.mark.parametrize("mode", [pytest.param(m, id=f"{m:04o}") for m in (0o640, 0o604, 0o660, 0o644, 0o601)])
def test_a_key_file_open_to_others_is_refused(key_file: Path, mode: int) -> None:
    """The error shows the mode and the command that mends it."""
    written(key_file, NEW, mode)

    with pytest.raises(KeyringError) as refusal:
        Keyring.open(key_file, {})

    assert f"mode {mode:04o}" in str(refusal.value)
    assert f"chmod 600 {key_file}" in str(refusal.value)


def test_a_missing_key_file_is_refused_when_there_are_secrets(key_file: Path) -> None:
    """A new key would not open what the lost one encrypted, so none is made."""
    with pytest.raises(KeyringError, match="restore it from a backup"):
        Keyring.open(key_file, {}, must_exist=True)

    assert not key_file.exists()


@pytest.mark.parametrize(
    ("text", "told"),
    [
        pytest.param("", "holds no key", id="empty"),
        pytest.param("# only a comment\n", "holds no key", id="only a comment"),
        pytest.param(NEW[:-4], "key 1 of the key file", id="cut off"),
        pytest.param(f"{NEW}\nhorse-battery-staple", "key 2 of the key file", id="second one wrong"),
        pytest.param("\n".join([NEW] * (KEYS_MAX + 1)), f"at most {KEYS_MAX}", id="too many"),
        pytest.param("x" * (KEY_FILE_BYTES_MAX + 1), "does not look like one", id="too large"),
        pytest.param("schlüssel", "does not look like one", id="not ASCII"),
    ],
)
def test_a_key_file_without_usable_keys_is_refused(key_file: Path, text: str, told: str) -> None:
    """The error says what is wrong, which key it is, and repeats none of it."""
    written(key_file, text)

    with pytest.raises(KeyringError) as refusal:
        Keyring.open(key_file, {})

    assert told in str(refusal.value)
    assert not any(word in str(refusal.value) for word in (NEW, NEW[:-4], "battery"))


@pytest.mark.parametrize("value", [pytest.param("", id="empty"), pytest.param(" , ", id="only separators")])
def test_an_empty_variable_is_refused(key_file: Path, value: str) -> None:
    """A variable that lost its value must not make secrets unreadable by starting over with a new key."""
    with pytest.raises(KeyringError, match=KEYS_VARIABLE):
        Keyring.open(key_file, {KEYS_VARIABLE: value})

    assert not key_file.exists()


def test_a_directory_in_place_of_the_key_file_is_refused(key_file: Path) -> None:
    """It is told that it is no file."""
    key_file.mkdir(parents=True)

    with pytest.raises(KeyringError, match="is not a file"):
        Keyring.open(key_file, {})


def test_a_pipe_in_place_of_the_key_file_is_refused(key_file: Path) -> None:
    """A pipe is refused at once; waiting for its other end would hang the start."""
    key_file.parent.mkdir()
    os.mkfifo(key_file, 0o600)

    with pytest.raises(KeyringError, match="is not a file"):
        Keyring.open(key_file, {})


def test_a_place_where_no_file_can_be_is_refused(tmp_path: Path) -> None:
    """The error names the file, what the system said, and the other way."""
    blocked = written(tmp_path / "file", "")

    with pytest.raises(KeyringError, match=KEYS_VARIABLE):
        Keyring.open(blocked.parent / ("n" * 300), {})
    with pytest.raises(KeyringError, match="cannot read"):
        Keyring.open(blocked / "keys", {})


def test_a_secret_survives_rotation() -> None:
    """A new key in front opens what the old one encrypted; once rotated, the old key can go."""
    token = of(OLD).encrypt(HUSH)
    rotated = of(NEW, OLD).rotate(token)

    assert of(NEW, OLD).decrypt(token) == HUSH
    assert of(NEW).decrypt(rotated) == HUSH
    with pytest.raises(KeyringError):
        of(OLD).decrypt(rotated)


@pytest.mark.parametrize("verb", ["decrypt", "rotate"])
@pytest.mark.parametrize(
    "token",
    [
        pytest.param(of(OLD).encrypt(HUSH), id="another key's"),
        pytest.param(of(NEW).encrypt(HUSH)[:-8] + "AAAAAAA=", id="damaged"),
        pytest.param("", id="empty"),
        pytest.param("plain text", id="never encrypted"),
        pytest.param("gAAAA\udcff\N{SNOWMAN}", id="not ASCII"),
    ],
)
def test_a_token_that_no_key_opens_names_the_keys_by_their_ids(verb: str, token: str) -> None:
    """The error says which keys were tried and what to do, and shows neither keys nor secrets."""
    keyring = of(NEW)

    with pytest.raises(KeyringError) as refusal:
        getattr(keyring, verb)(token)

    assert keyring.key_ids[0] in str(refusal.value)
    assert "add the key that encrypted it" in str(refusal.value)
    assert NEW not in str(refusal.value)


def test_a_keyring_shows_ids_only() -> None:
    """Its text holds no key, and it does not pickle."""
    keyring = of(NEW, OLD)

    assert repr(keyring) == f"Keyring({keyring.key_ids[0]}, {keyring.key_ids[1]})"
    assert NEW not in "".join(keyring.key_ids)
    with pytest.raises(TypeError):
        pickle.dumps(keyring)


def test_one_secret_has_many_tokens() -> None:
    """Equal secrets cannot be told by their tokens."""
    keyring = of(NEW)

    assert keyring.encrypt(HUSH) != keyring.encrypt(HUSH)


@settings(max_examples=50)
@given(st.text(alphabet=st.characters(codec=None)))
def test_what_is_encrypted_comes_back(text: str) -> None:
    """Any text survives, lone surrogates included."""
    keyring = of(NEW)
    token = keyring.encrypt(Secret(text))

    assert keyring.decrypt(token) == Secret(text)
    assert token.isascii()
