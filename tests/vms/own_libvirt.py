"""
A libvirt of a test's own: started, reached by a socket in a directory, and ended by its pid.

Owns: the daemon. For an ordinary user that is ``qemu:///session``, which libvirt starts by itself. Root has no session:
there a daemon is started that sees other directories in the place of the system's, by a mount name space.
"""

import contextlib
import os
import shutil
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import libvirt
import pytest

from tests.support.waiting import wait_for

# Everything that needs more of a system than a container has: cgroups, security drivers, a second user, name spaces.
QEMU_CONF = """\
user = "root"
group = "root"
dynamic_ownership = 0
remember_owner = 0
security_driver = "none"
cgroup_controllers = []
namespaces = []
stdio_handler = "file"
"""

DAEMON_CONF = """\
unix_sock_dir = "{run}"
auth_unix_rw = "none"
auth_unix_ro = "none"
"""

START = """\
set -e
mount --bind "$1/etc" /etc/libvirt
for directory in /run/libvirt /var/lib/libvirt /var/cache/libvirt /var/log/libvirt; do
    mkdir -p "$directory"
    mount -t tmpfs tmpfs "$directory"
done
mkdir -p /var/lib/libvirt/qemu
exec libvirtd --config "$1/libvirtd.conf" --pid-file "$1/pid"
"""


@contextlib.contextmanager
def own_libvirt(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The URI of a libvirt that nobody else uses."""
    home = Path("/tmp") / f"pgvm-{os.getpid()}"  # paths of sockets are short
    home.mkdir()
    try:
        with _as_root(home) if os.geteuid() == 0 else _as_user(home, monkeypatch) as uri:
            yield uri
    finally:
        shutil.rmtree(home, ignore_errors=True)


@contextlib.contextmanager
def _as_root(home: Path) -> Iterator[str]:
    (home / "etc").mkdir()
    (home / "etc/qemu.conf").write_text(QEMU_CONF)
    (home / "run").mkdir()
    (home / "libvirtd.conf").write_text(DAEMON_CONF.format(run=home / "run"))
    with (home / "log").open("wb") as log:
        process = subprocess.Popen(
            ["unshare", "--mount", "--propagation", "private", "sh", "-c", START, "start", str(home)],
            stdout=log,
            stderr=log,
        )
    socket = home / "run/libvirt-sock"
    try:
        wait_for(lambda: socket.exists() or process.poll() is not None, "libvirtd to listen")
        assert process.poll() is None, (home / "log").read_text()
        yield f"qemu+unix:///system?socket={socket}"
    finally:
        process.terminate()
        process.wait(timeout=30)


@contextlib.contextmanager
def _as_user(home: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for variable, name in (("XDG_RUNTIME_DIR", "run"), ("XDG_CONFIG_HOME", "config"), ("XDG_CACHE_HOME", "cache")):
        (home / name).mkdir()
        monkeypatch.setenv(variable, str(home / name))
    (home / "config/libvirt").mkdir()
    (home / "config/libvirt/qemu.conf").write_text('stdio_handler = "file"\n')
    libvirt.open("qemu:///session").close()
    try:
        yield "qemu:///session"
    finally:
        os.kill(int((home / "run/libvirt/libvirtd.pid").read_text()), signal.SIGTERM)
