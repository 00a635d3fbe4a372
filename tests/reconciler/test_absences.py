"""The evidence about machines that sweeps lack."""

from datetime import datetime, timedelta

from reconciler.absences import FORGOTTEN_S, KEPT_S, OUTAGE_S, Absences
from reconciler.model import Absence
from tests.reconciler.views import NOW

NO_GAP = timedelta()


def after(seconds: float) -> datetime:
    """That long after the first sweep."""
    return NOW + timedelta(seconds=seconds)


def lost() -> Absences:
    """m-1 was shown, and is lacking since five seconds later, when it was denied."""
    absences = Absences()
    absences.swept({"m-1", "m-2"}, NOW, NO_GAP)
    absences.swept({"m-2"}, after(5), NO_GAP)
    absences.answered(["m-1"], ["m-1"], after(5))
    return absences


def test_nothing_is_known_of_a_machine_that_nobody_asked_for() -> None:
    """It may have been shown or not; that is remembered."""
    absences = Absences()
    absences.swept({"m-1"}, NOW, NO_GAP)
    absences.swept({}, after(5), NO_GAP)

    assert absences.of("m-1") == Absence(shown=True)
    assert absences.of("m-9") == Absence(shown=False)
    assert len(absences) == 0


def test_answers_in_a_row_count_from_the_first() -> None:
    """Those in so many words apart from those that merely lack it."""
    absences = lost()
    absences.answered(["m-1"], ["m-1"], after(15))
    denied = absences.of("m-1")
    absences.answered(["m-1"], [], after(25))
    lacking = absences.of("m-1")
    absences.answered(["m-1"], ["m-1"], after(35))

    assert denied == Absence(True, after(5), after(15), after(5))
    assert lacking == Absence(True, after(5), after(25), None)
    assert absences.of("m-1") == Absence(True, after(5), after(35), after(35))
    assert len(absences) == 1


def test_a_machine_that_shows_up_is_not_absent_any_more() -> None:
    """Whatever was said of it before."""
    absences = lost()
    absences.swept({"m-1", "m-2"}, after(10), NO_GAP)
    absences.swept({"m-2"}, after(15), NO_GAP)

    assert absences.of("m-1") == Absence(shown=True)


def test_an_inquiry_without_an_answer_says_nothing() -> None:
    """The row goes on where it was; an answer makes the failure forgotten."""
    absences = lost()
    absences.failed(["m-1", "m-9"], after(10))
    failed = absences.of("m-1")
    absences.answered(["m-1"], ["m-1"], after(15))

    assert failed == Absence(True, after(5), after(5), after(5), failed_at=after(10))
    assert absences.of("m-9") == Absence(False, failed_at=after(10))
    assert absences.of("m-1") == Absence(True, after(5), after(15), after(5))
    assert len(absences) == 1


def test_time_out_of_sight_does_not_count() -> None:
    """Half a minute of silence is taken off; after an outage the evidence is gathered anew."""
    absences = lost()
    absences.swept({"m-2"}, after(40), timedelta(seconds=30))
    short = absences.of("m-1")
    absences.swept({"m-2"}, after(120), timedelta(seconds=OUTAGE_S + 1))

    assert short == Absence(True, after(35), after(35), after(35))
    assert absences.of("m-1") == Absence(shown=True)


def test_what_nobody_asks_for_any_more_is_forgotten() -> None:
    """The memory does not grow with every machine that ever ended."""
    absences = lost()
    absences.swept({"m-2"}, after(5 + FORGOTTEN_S + 1), NO_GAP)
    unasked = absences.of("m-1")
    absences.swept({"m-2"}, after(5 + KEPT_S + 1), NO_GAP)

    assert unasked == Absence(shown=True)
    assert absences.of("m-1") == Absence(shown=False)
