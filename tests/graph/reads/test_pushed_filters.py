"""Tests in Lance's filter language: what is said there, and what never is. Pure."""

import pytest

from agentctl.graph.reads.expressions import (
    Among,
    Column,
    Compare,
    Constant,
    IsNull,
    Joined,
    Known,
    Marked,
    Negated,
    Test,
)
from agentctl.graph.reads.pushing import pushed
from agentctl.languages.schema.types import PropertyType, Scalar

TEXT = PropertyType(scalar=Scalar.STRING)
I32 = PropertyType(scalar=Scalar.I32)
F32 = PropertyType(scalar=Scalar.F32)
NAME, AGE, HEIGHT = (
    Column(name="p.name", type=TEXT),
    Column(name="p.age", type=I32),
    Column(name="p.height", type=F32),
)
STORED = {"p": "id", "p.name": "name", "p.age": "age~1", "p.height": "height"}


def equals(column: Column, value: str | float) -> Compare:
    return Compare(left=column, comparison="=", right=Constant(value=value, type=column.type))


SAID: list[tuple[Test, str]] = [
    (equals(NAME, "it's"), "`name` = 'it''s'"),
    (equals(AGE, 3), "`age~1` = arrow_cast('3', 'Int32')"),
    (
        Compare(left=NAME, comparison="contains", right=Constant(value="%", type=TEXT)),
        "contains(`name`, '%')",
    ),
    (IsNull(column="p.age", negated=True), "`age~1` IS NOT NULL"),
    (Negated(test=equals(AGE, 3)), "NOT (`age~1` = arrow_cast('3', 'Int32'))"),
    (
        Joined(word="or", tests=(IsNull(column="p.age"), Known(value=True))),
        "(`age~1` IS NULL) OR (true)",
    ),
    (
        Among(operand=NAME, values=Constant(value=("a", "b"), type=TEXT)),
        "`name` IN ('a', 'b')",
    ),
    (Compare(left=NAME, comparison="<", right=NAME), "`name` < `name`"),
]
NEVER: list[Test] = [
    equals(NAME, "a\0b"),
    equals(AGE, 1 << 40),
    equals(AGE, 1.5),
    Compare(left=AGE, comparison="<", right=HEIGHT),
    Marked(name="?0"),
    Known(value=None),
    Negated(test=Joined(word="and", tests=(Known(value=None), equals(AGE, 3)))),
    Joined(word="or", tests=(equals(AGE, 3), Marked(name="?0"))),
    equals(Column(name="q.name", type=TEXT), "a"),
    equals(Column(name="p.name", type=PropertyType(scalar=Scalar.STRING, list=True)), "a"),
]


@pytest.mark.parametrize(("test", "said"), SAID, ids=[s for _, s in SAID])
def test_what_lance_means_alike_is_said_there(test: Test, said: str) -> None:
    assert pushed(test, STORED.get) == said


@pytest.mark.parametrize("test", NEVER, ids=[str(n) for n in range(len(NEVER))])
def test_what_lance_would_mean_otherwise_is_asked_of_the_rows(test: Test) -> None:
    assert pushed(test, STORED.get) is None
