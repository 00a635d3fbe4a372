"""
Every state in which a group waits says so: what ``explain`` shows is complete.

Owns: a case for each place of the planner's code that tells of waiting; a new one without a case fails. Does not own:
whether waiting is right (the tests of each step).
"""

import ast
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

import reconciler
from backends.cloud import MachineState
from reconciler import planner
from reconciler.draft import Draft
from reconciler.model import FailBack, GroupView, InstanceState
from tests.reconciler.views import NOW, account, ago, claim, gone_blind, held, in_vain, instance, machine, running, view

ROOM = Path(reconciler.__file__).parent
TERMINATING = InstanceState.TERMINATING
TEN = [instance(key) for key in range(1, 11)]
ELSEWHERE = machine("m-99", uid="g-2")

CASES: dict[str, tuple[Callable[[], GroupView], str]] = {
    "not shown": (
        lambda: view(1, [instance(1)], accounts={"hotel": account([ELSEWHERE], living=1)}),
        "does not show it",
    ),
    "many look dead": (
        lambda: view(
            2,
            [instance(1), instance(2)],
            accounts={"hotel": account([machine(f"m-{key}", MachineState.ERROR) for key in (1, 2)])},
        ),
        "look dead at once",
    ),
    "the account loses many": (
        lambda: view(
            10,
            TEN,
            accounts={
                "hotel": account(
                    running(*range(2, 11)), living=9, **in_vain("m-1", denied_s=400, asked_s=400) | {"missing": 9}
                )
            },
        ),
        "lacks many machines at once",
    ),
    "the account is unwell": (
        lambda: view(
            1,
            [instance(1)],
            accounts={"hotel": account([machine("m-1", MachineState.STOPPED)], living=9, lost=5)},
        ),
        "5 machines on hotel, of other groups, too, look dead at once",
    ),
    "out of sight": (lambda: view(0, [instance(1)], accounts={"hotel": gone_blind()}), "connection refused"),
    "frozen": (
        lambda: view(0, [instance(1)], accounts={"hotel": account(running(1), frozen=held("frozen by bob"))}),
        "frozen by bob",
    ),
    "suspended": (lambda: view(1, [], suspended=frozenset({"Launch"})), "Launch is suspended"),
    "home is held back": (
        lambda: view(
            1,
            [instance(1, "sierra")],
            ["hotel", "sierra"],
            {"hotel": account(hold=held())},
            fail_back=FailBack.EAGER,
        ),
        "back-off on hotel",
    ),
    "overshoot": (
        lambda: view(1, [], accounts={"hotel": account([machine(f"m-{k}", launched_at=ago(9)) for k in range(4)])}),
        "nothing is launched until they are gone",
    ),
    "protected surplus": (lambda: view(0, [instance(1, protected=True)]), "1 surplus instances are protected"),
    "nowhere to launch": (lambda: view(1, [], accounts={"hotel": account(hold=held())}), "hotel is full"),
    "being deleted": (lambda: view(1, [instance(1)], deleting=True), "1 machines of the group are not gone yet"),
    "a strange mark": (
        lambda: view(0, [instance(1, state=TERMINATING)], accounts={"hotel": account([machine("m-1", uid="g-2")])}),
        "does not bear this group's mark",
    ),
    "never shown": (
        lambda: view(
            0,
            [instance(1, state=TERMINATING, terminate_sent_at=ago(20), in_service_at=None)],
            accounts={"hotel": account()},
        ),
        "hotel has never shown it",
    ),
    "the ceiling": (
        lambda: view(1, [instance(key, state=TERMINATING, terminate_sent_at=ago(9)) for key in range(1, 5)]),
        "more than 4 at once are not allowed",
    ),
    "an unknown outcome": (lambda: view(1, [claim(1, claimed_at=ago(0.5))]), "is not known yet"),
    "a repeat that is held back": (
        lambda: view(1, [claim(1)], accounts={"hotel": account(hold=held())}),
        "is repeated after the back-off",
    ),
    "machines that were never launched here": (
        lambda: view(1, [instance(1)], accounts={"hotel": account(running(1, 7), spared=frozenset({"m-7"}))}),
        "was never launched",
    ),
    "unknown machines": (
        lambda: view(1, [instance(1)], accounts={"hotel": account(running(1, 7, 8, 9))}),
        "left alone",
    ),
}


def places() -> set[tuple[str, int]]:
    """(module, line) of every call that tells a draft of waiting."""
    found = set()
    for file in ROOM.glob("*.py"):
        tree = ast.parse(file.read_text(encoding="utf-8"))
        for node in ast.walk(tree):
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and node.func.attr == "wait":
                receiver = node.func.value
                name = receiver.id if isinstance(receiver, ast.Name) else ""
                if name == "draft" or (name == "self" and file.stem == "draft"):
                    found.add((file.stem, node.lineno))
    return found


def told(monkeypatch: pytest.MonkeyPatch, seen: GroupView) -> tuple[set[tuple[str, int]], tuple[str, ...]]:
    """The places that told of waiting while this was planned, and what they said."""
    met: set[tuple[str, int]] = set()
    wait = Draft.wait

    def noting(draft: Draft, sentence: str) -> None:
        frame = sys._getframe(1)
        met.add((Path(frame.f_code.co_filename).stem, frame.f_lineno))
        wait(draft, sentence)

    monkeypatch.setattr(Draft, "wait", noting)
    plan = planner.plan(seen, NOW)
    monkeypatch.undo()
    return met, plan.waiting_on


@pytest.mark.parametrize("name", CASES)
def test_a_group_that_waits_says_for_what(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    """In a sentence for people."""
    make, sentence = CASES[name]
    _, waiting_on = told(monkeypatch, make())

    assert any(sentence in each for each in waiting_on), waiting_on


def test_every_reason_has_its_case(monkeypatch: pytest.MonkeyPatch) -> None:
    """A place that no case comes to is named here."""
    met = {place for make, _ in CASES.values() for place in told(monkeypatch, make())[0]}

    assert sorted(places() - met) == []
