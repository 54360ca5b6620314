"""What depends on what, as people and as Graphviz read it."""

import re

from hypothesis import given
from hypothesis import strategies as st
from inline_snapshot import snapshot

from agentctl.domain.config.model import Dependency
from agentctl.ids import Address
from agentctl.views.deps import DependencyGraph, deps_dot, deps_text, part_of

NAMES = ("graph.g", "policy.p", "query.g.a", "query.g.b", "schema.g")


def edges(*pairs: tuple[str, str]) -> tuple[Dependency, ...]:
    return tuple(sorted(Dependency(source=Address(a), target=Address(b)) for a, b in pairs))


EDGES = edges(
    ("schema.g", "graph.g"),
    ("query.g.a", "graph.g"),
    ("query.g.a", "schema.g"),
    ("query.g.b", "schema.g"),
    ("policy.p", "graph.g"),
)
WHOLE = DependencyGraph(addresses=NAMES, edges=EDGES)

_STATEMENT = re.compile(r'  "((?:[^"\\]|\\.)*)"(?: -> "((?:[^"\\]|\\.)*)")?;')


def read_dot(text: str) -> tuple[str, set[str], set[tuple[str, str]]]:
    """Reads the part of the DOT language that is written, strictly."""
    first, *lines, last = text.removesuffix("\n").split("\n")
    opened = re.fullmatch(r'digraph "((?:[^"\\]|\\.)*)" \{', first)
    assert opened is not None
    assert last == "}"
    nodes: set[str] = set()
    found: set[tuple[str, str]] = set()
    for line in lines:
        if line in {"  rankdir=LR;", "  node [shape=box];"}:
            continue
        statement = _STATEMENT.fullmatch(line)
        assert statement is not None, line
        names = [re.sub(r"\\(.)", r"\1", name) for name in statement.groups() if name is not None]
        if len(names) == 1:
            nodes.add(names[0])
        else:
            found.add((names[0], names[1]))
    return re.sub(r"\\(.)", r"\1", opened[1]), nodes, found


def test_the_tree_begins_with_what_nobody_needs() -> None:
    assert deps_text(WHOLE) == snapshot("""\
policy.p
└─ graph.g
query.g.a
├─ graph.g
└─ schema.g
   └─ graph.g
query.g.b
└─ schema.g (above)
""")


def test_one_resource_is_shown_with_all_that_it_needs() -> None:
    part = part_of(NAMES, EDGES, "query.g.b", reverse=False)

    assert part.addresses == ("graph.g", "query.g.b", "schema.g")
    assert deps_text(part) == snapshot("""\
query.g.b
└─ schema.g
   └─ graph.g
""")


def test_in_reverse_it_is_shown_with_all_that_needs_it() -> None:
    assert deps_text(part_of(NAMES, EDGES, "schema.g", reverse=True)) == snapshot("""\
schema.g
├─ query.g.a
└─ query.g.b
""")


def test_a_resource_without_neighbours_stands_alone() -> None:
    assert deps_text(part_of(NAMES, EDGES, "graph.g", reverse=False)) == "graph.g\n"
    assert deps_text(DependencyGraph(addresses=(), edges=())) == "Nothing is declared.\n"


def test_dot_has_every_resource_and_every_edge() -> None:
    name, nodes, found = read_dot(deps_dot(WHOLE, name="supply"))

    assert name == "supply"
    assert nodes == set(NAMES)
    assert found == {(e.source, e.target) for e in EDGES}


def test_quotation_marks_in_a_name_stay_inside_it() -> None:
    odd = 'a"b\\c"; x -> y'
    graph = DependencyGraph(addresses=(odd,), edges=edges((odd, odd)))

    assert read_dot(deps_dot(graph, name=odd)) == (odd, {odd}, {(odd, odd)})


def test_a_chain_of_any_length_and_a_ring_end() -> None:
    chain = edges(*((f"n{i}", f"n{i + 1}") for i in range(1_000)))
    names = tuple(sorted(f"n{i}" for i in range(1_001)))

    assert deps_text(DependencyGraph(addresses=names, edges=chain)).count("\n") == 1_001
    ring = part_of(("a", "b"), edges(("a", "b"), ("b", "a")), "a", reverse=False)
    assert deps_text(ring) == snapshot("""\
a
└─ b
   └─ a (above)
""")


@given(st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=12))
def test_the_part_around_a_resource_is_what_can_be_reached(pairs: set[tuple[str, str]]) -> None:
    every = edges(*pairs)
    reached = {"graph.g"}
    for _ in NAMES:
        reached |= {b for a, b in pairs if a in reached}

    part = part_of(NAMES, every, "graph.g", reverse=False)

    assert set(part.addresses) == reached
    assert part_of(
        NAMES, edges(*((b, a) for a, b in pairs)), "graph.g", reverse=True
    ).addresses == (part.addresses)
    assert read_dot(deps_dot(part))[1] == reached
    assert deps_text(part).startswith("graph.g\n")
