"""A read of a commit whose schema differs from the one that the query was checked with.

It is refused by name, before any data is read; a number of another width is read as it is stored.
"""

from collections.abc import Callable

import pytest

from agentctl.graph.port import GraphError
from agentctl.graph.reads.executors.walk_shape import walk_of
from agentctl.graph.reads.expressions import Column
from agentctl.graph.reads.logical import Project
from agentctl.graph.reads.results import lowered
from agentctl.testing.checked_queries import checked
from tests.graph.oracle.oracle_engine import ir_of

BEFORE = """
node P { k: String @key  a: I32?  s: String?  l: [String]?  v: Vector(2)?  g: F32? }
node C { k: String @key  s: String }
edge Knows: P -> P { w: I32? }
edge Likes: P -> P
"""


def plan(body: str, after: str) -> Project:
    query = checked(f"query q() {{ {body} }}", BEFORE)
    return lowered(query, ir_of(after), {}, now=0)


def code_of(act: Callable[[], object]) -> str:
    with pytest.raises(GraphError) as caught:
        act()
    return caught.value.diagnostic.code


@pytest.mark.parametrize(
    ("body", "changed", "into"),
    [
        ("match { $p: P $p.a > 1 } return { $p.k }", "a: I32?", "a: String?"),
        ("match { $p: P $p.l contains $p.s } return { $p.k }", "l: [String]?", "l: String?"),
        ("match { $p: P } return { $p.k } order { $p.a }", "a: I32?", "a: Date?"),
        ("match { $p: P } return { sum($p.a) as n }", "a: I32?", "a: Bool?"),
        ('match { $p: P search($p.s, "x") } return { $p.k }', "s: String?  l", "l"),
        ('match { $p: P } return { $p.k } order { bm25($p.s, "x") } limit 1', "s: String?  l", "l"),
        (
            "match { $p: P } return { $p.k } order { nearest($p.v, [1.0, 2.0]) } limit 1",
            "Vector(2)",
            "Vector(3)",
        ),
        (
            "match { $p: P $c: C } return { $p.k } order { bm25($p.s, $c.s) } limit 1",
            "k: String @key  s: String }",
            "k: String @key }",
        ),
        ("match { $p: P $p $e:knows $q $e.w > 1 } return { $q.k }", "{ w: I32? }", ""),
        ("match { $p: P $p $e:knows $q } return { $q.k, $e.w }", "{ w: I32? }", ""),
        ("match { $p: P $q: P $p knows $q } return { $q.k }", "Knows: P -> P", "Knows: P -> C"),
        ("match { $p: P $p (knows | likes) $q } return { $q.k }", "Likes: P -> P", "Likes: P -> C"),
        ("match { $p: P not { $p knows $q $q.a = 1 } } return { $p.k }", "a: I32?", "a: String?"),
    ],
)
def test_what_the_query_does_not_fit_any_more_is_refused(
    body: str, changed: str, into: str
) -> None:
    assert changed in BEFORE

    assert plan(body, BEFORE).outputs
    assert code_of(lambda: plan(body, BEFORE.replace(changed, into))) == "schema_mismatch"


def test_a_number_of_another_width_is_read_and_shown_as_it_is_stored() -> None:
    body = "match { $p: P $p.a > 1 } return { $p.a, $p.g }"
    wide = plan(body, BEFORE.replace("a: I32?", "a: I64?").replace("g: F32?", "g: F64?"))

    assert [o.type.scalar.value for o in wide.outputs if o.type] == ["I64", "F64"]
    assert all(isinstance(o.of, Column) and o.of.type == o.type for o in wide.outputs)


def test_no_walk_goes_along_edges_to_another_type() -> None:
    text = 'query q() { match { $p: P { k: "a" } $q: P $p knows $q } return { $q.k } }'
    query = checked(text, BEFORE)
    other = ir_of(BEFORE.replace("Knows: P -> P", "Knows: P -> C"))

    assert walk_of(query, ir_of(BEFORE)) is not None
    assert walk_of(query, other) is None
