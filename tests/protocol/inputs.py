"""
Values for every shape of the service model, drawn by hypothesis, and what is equal to them after a trip on the wire.

Owns: strategies that respect the limits of the model (and the waivers). Does not own: what is done with the values.
"""

import re
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import strategies as st

from protocol.model import (
    BooleanShape,
    DoubleShape,
    IntegerShape,
    ListShape,
    Shape,
    StringShape,
    StructureShape,
    TimestampShape,
)

LIST_LENGTH_MAX = 3
TEXT_LENGTH_MAX = 24
XML_TEXT = st.characters(codec="utf-8", exclude_characters="\ufffe\uffff", exclude_categories=["Cs", "Cc"]) | (
    st.sampled_from("\t\n\r&<>\"'+%=; .\x7f\u20ac\U0001f680")
)
"""Any character that XML can carry, and more often one that some layer has to escape."""

NARROW_TEXTS = {
    "[a-zA-Z0-9\\.\\*\\-]+": "aZ09.*-",
    "[a-zA-Z0-9\\(\\)\\.\\-/_]+": "aZ09().-/_",
    "^ami-[a-z0-9]{1,17}$": "",
    "[A-Za-z0-9\\-_\\/]+": "aZ09-_/",
    "[\\u0009\\u000A\\u000D\\u0020-\\u007e]+": "\t\n\r ~aZ09<>&",
}
"""Characters for each pattern of the model but the one that admits every XML text."""

EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
INTEGER_MAX = 2**31 - 1


def values(shape: Shape) -> st.SearchStrategy[Any]:
    """Valid values of *shape*; structures have all that is required and some of the rest."""
    match shape:
        case StructureShape():
            return st.fixed_dictionaries(
                {name: values(member.shape) for name, member in shape.members.items() if member.required},
                optional={name: values(member.shape) for name, member in shape.members.items() if not member.required},
            )
        case ListShape():
            shortest = shape.min or 0
            longest = LIST_LENGTH_MAX if shape.max is None else min(shape.max, LIST_LENGTH_MAX)
            return st.lists(values(shape.member), min_size=shortest, max_size=longest)
        case StringShape():
            return texts(shape)
        case IntegerShape():
            low, high = shape.min, shape.max
            return st.integers(-INTEGER_MAX - 1 if low is None else low, INTEGER_MAX if high is None else high)
        case DoubleShape():
            return st.floats(shape.min, shape.max, allow_nan=False, allow_infinity=False)
        case BooleanShape():
            return st.booleans()
        case TimestampShape():
            return moments()


def texts(shape: StringShape) -> st.SearchStrategy[str]:
    """Valid texts of *shape*."""
    if shape.enum:
        return st.sampled_from(shape.enum)
    if shape.name == "ImageId":
        return st.from_regex(re.compile("ami-[a-z0-9]{1,17}"), fullmatch=True)
    narrow = NARROW_TEXTS.get(shape.pattern or "")
    low = shape.min or 0
    high = max(low, TEXT_LENGTH_MAX if shape.max is None else min(shape.max, TEXT_LENGTH_MAX))
    return st.text(XML_TEXT if narrow is None else narrow, min_size=low, max_size=high)


def moments() -> st.SearchStrategy[datetime]:
    """Aware moments with milliseconds, from about the year 1010: botocore writes earlier ones with too few digits."""
    return st.integers(-960 * 365 * 86_400_000, 8000 * 365 * 86_400_000).map(
        lambda milliseconds: EPOCH + timedelta(milliseconds=milliseconds)
    )


def sent(value: Any) -> Any:
    """
    What of *value* is on the wire, or None for nothing.

    The Query protocol has no spelling for an empty structure; one in a list leaves a gap between the numbers.
    """
    if isinstance(value, dict):
        members = {name: kept for name, item in value.items() if (kept := sent(item)) is not None}
        return members or None
    if isinstance(value, list) and value:
        return [kept for item in value if (kept := sent(item)) is not None] or None
    return value
