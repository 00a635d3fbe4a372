"""
Phantom's own way of working, by scripts for boto 2.49 that are run as its users ran theirs.

Owns: launch configurations on two clouds under one name, domains steered by tags, the tutorial; in both signatures.
What runs is told by the processes, not by the scripts. Does not own: the scripts, which are in ``scripts/phantom_*``.
"""

import subprocess
from collections.abc import Iterator, Mapping

import pytest

from tests.clients import driving
from tests.clients.recipes import running
from tests.support.gateway import ACCESS_KEY_ID, SECRET_ACCESS_KEY, Gateway
from tests.support.waiting import wait_for

pytestmark = pytest.mark.clients

SCRIPT_S_MAX = 60
"""boto 2 repeats a 5xx for 19 to 39 s: a script that takes longer hangs."""


class User:
    """Somebody with Phantom's three environment variables, and scripts that read them."""

    def __init__(self, gateway: Gateway, signature: str) -> None:
        self.gateway = gateway
        self.environ = {
            "PATH": gateway.client_environ["PATH"],
            "HOME": str(gateway.directory),
            "EC2_ACCESS_KEY": ACCESS_KEY_ID,
            "EC2_SECRET_KEY": SECRET_ACCESS_KEY,
            "PHANTOM_URL": gateway.endpoint,
            "PHANTOM_SIGNATURE": signature,
        }

    def command(self, script: str, *words: str) -> list[str]:
        """The command line of *script*. Skips the test where boto 2 is not installed."""
        python = driving.installed("boto2/bin/python", "boto 2")
        return [python, str(driving.SCRIPTS / f"phantom_{script}.py"), *words]

    def run(self, script: str, *words: str) -> list[str]:
        """The lines that *script* printed, once it has ended well."""
        done = self.attempt(script, *words)
        assert (done.returncode, done.stderr) == (0, "")
        return done.stdout.splitlines()

    def attempt(self, script: str, *words: str) -> subprocess.CompletedProcess[str]:
        """What became of *script*, well or not."""
        return subprocess.run(
            self.command(script, *words),
            env=self.environ,
            capture_output=True,
            text=True,
            check=False,
            timeout=SCRIPT_S_MAX,
        )

    def make_launch_configurations(self, base: str) -> None:
        """Nothing; *base* can be launched on hotel and on sierra."""
        for cloud in ("hotel", "sierra"):
            assert self.run("launch", "create", f"{base}@{cloud}", "sleeper") == []

    def domain(self, name: str) -> list[str]:
        """What is listed under *name*; empty when it is not listed."""
        lines = self.run("domain", "list")
        if name not in lines:
            return []
        after = lines[lines.index(name) + 1 :]
        return after[: next((at for at, line in enumerate(after) if not line.startswith("\t")), len(after))]

    def settle(self, base: str, name: str, places: Mapping[str, int]) -> None:
        """Nothing; once *places* is what runs, and the list tells the same of healthy VMs."""
        wait_for(lambda: running(self.gateway) == places, f"{name} to run as {dict(places)}")
        told = [f"\t\t{cloud} : Healthy" for cloud in sorted(places) for _ in range(places[cloud])]

        def is_told() -> bool:
            first, *instances = self.domain(name)
            return first.split(" : ") in ([f"\t{base}", str(len(told))], [f"\t{base}@hotel", str(len(told))]) and (
                sorted(instances) == told
            )

        wait_for(is_told, f"the list to tell of {told}")

    def clean(self, base: str) -> None:
        """Nothing; the launch configurations are gone."""
        for cloud in ("hotel", "sierra"):
            assert self.run("launch", "delete", f"{base}@{cloud}") == []
        assert not [line for line in self.run("launch", "list") if line.startswith(f"{base}@")]


@pytest.fixture(params=[pytest.param("v4", id="v4"), pytest.param("v2", id="v2")])
def user(request: pytest.FixtureRequest, gateway: Gateway) -> Iterator[User]:
    """A user of either signature. Afterwards nothing of theirs may run."""
    yield User(gateway, request.param)
    wait_for(lambda: not gateway.vm_pids(), "every VM to be gone")


@pytest.mark.parametrize(
    "suffix", [pytest.param("@hotel", id="by a sibling's name"), pytest.param("", id="by the bare name")]
)
def test_a_domain_over_two_clouds_lives_and_dies_by_scripts(user: User, name: str, suffix: str) -> None:
    """Two VMs run on hotel and the rest on sierra; the domain grows past its MaxSize, shrinks, and goes unforced."""
    base = f"lc-{name.replace(' ', '-').replace(chr(39), '')}"
    domain = base.replace("lc-", "domain-")
    user.make_launch_configurations(base)
    mine = [line for line in user.run("launch", "list") if line.startswith(f"{base}@")]
    assert mine == [f"{base}@hotel", f"{base}@sierra"]

    assert user.run("domain", "create", domain, base + suffix, "3", "hotel:2", "sierra:-1") == []
    user.settle(base, domain, {"hotel": 2, "sierra": 1})

    assert user.run("domain", "alter", domain, "5") == []
    user.settle(base, domain, {"hotel": 2, "sierra": 3})

    assert user.run("domain", "alter", domain, "1") == []
    user.settle(base, domain, {"hotel": 1})

    assert user.run("domain", "delete", domain) == [f"deleting {domain}"]
    wait_for(lambda: not user.domain(domain), f"{domain} to be gone")
    assert running(user.gateway) == {}
    user.clean(base)


def test_a_deleted_domain_is_made_again_at_once(user: User, name: str) -> None:
    """The name is free as soon as the delete was answered. The original refused it until the last VM had ended."""
    user.make_launch_configurations(name)
    user.run("domain", "create", f"{name}-d", f"{name}@hotel", "2", "hotel:1", "sierra:-1")
    user.settle(name, f"{name}-d", {"hotel": 1, "sierra": 1})
    before = set(user.gateway.vm_pids())

    assert user.run("domain", "again", f"{name}-d") == []

    wait_for(lambda: not before & set(user.gateway.vm_pids()), "the VMs of before to end")
    user.settle(name, f"{name}-d", {"hotel": 1, "sierra": 1})
    user.run("domain", "delete", f"{name}-d")
    wait_for(lambda: not user.domain(f"{name}-d"), "it to be gone")
    user.clean(name)


def test_the_tutorial_can_be_followed_twice(user: User, name: str) -> None:
    """Its domain takes each step, and a second run finds the launch configurations and replaces the domain."""
    told = {
        1: [f"creating {name}@hotel", f"creating {name}@sierra"],
        2: [f"{name}@hotel is there already", f"{name}@sierra is there already", f"removing the {name}-d of before"],
    }
    for lines in told.values():
        follow_tutorial(user, name, lines)
    user.run("domain", "delete", f"{name}-d")
    wait_for(lambda: not user.domain(f"{name}-d"), "it to be gone")
    user.clean(name)


def follow_tutorial(user: User, base: str, told: list[str]) -> None:
    """Nothing; the tutorial printed *told*, then each step, and after each as many VMs ran."""
    command = user.command("tutorial", base, f"{base}-d", "sleeper")
    with subprocess.Popen(
        command, env=user.environ, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        assert [process.stdout.readline().rstrip() for _ in told] == told
        for count in (1, 2, 3, 4, 0):
            assert process.stdout.readline().rstrip() == f"{base}-d wants {count}"
            user.settle(base, f"{base}-d", {"hotel": count} if count else {})
            process.stdin.write("\n")
        assert process.wait(timeout=SCRIPT_S_MAX) == 0


def test_a_script_that_asks_for_the_impossible_ends_with_the_reason(user: User) -> None:
    """Refusals are 400s: boto 2 would repeat anything in the 500s for half a minute."""
    twice = user.attempt("launch", "delete", "nothing@hotel")
    missing = user.attempt("domain", "alter", "nothing", "3")

    assert (twice.returncode, missing.returncode) == (1, 1)
    assert twice.stderr.startswith("ValidationError: ")
    assert missing.stderr == "there is no domain nothing\n"
