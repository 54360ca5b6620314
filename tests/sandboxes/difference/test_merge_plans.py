"""How rows come home: what is merged into what, what a human decides, and what comes before."""

import itertools

from inline_snapshot import snapshot

from agentctl.domain.plan.migrate import plan_migration
from agentctl.domain.plan.model import Migration
from agentctl.domain.sandbox.difference import RowChanges
from agentctl.domain.sandbox.merge_plan import (
    GraphMerge,
    MergePlan,
    MergeRows,
    MergeSource,
    MergeWait,
    merge_plan,
)
from agentctl.ids import Address
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.types import Catalog


def catalog(text: str) -> Catalog:
    compiled = compile_schema(text.encode(), file="s.pg")
    assert compiled.catalog is not None, compiled.diagnostics
    return compiled.catalog


def migration(old: str, new: str) -> Migration:
    return plan_migration(catalog(old), catalog(new))


def rows(graph: str, type_name: str, *counts: int) -> RowChanges:
    added, changed, removed = counts
    return RowChanges(
        graph=graph, type_name=type_name, added=added, changed=changed, removed=removed, sample=()
    )


def source(graph: str, **more: object) -> MergeSource:
    facts: dict[str, object] = {"branch": "sandbox/01S", "commit": 5, "into_commit": 3} | more
    return MergeSource(graph=graph, **facts)  # type: ignore[arg-type]  # forwarded fields


def waits(found: MergePlan) -> list[tuple[str, str]]:
    return [(wait.reason, wait.address) for graph in found.graphs for wait in graph.waits]


def test_rows_of_a_kept_graph_are_merged_into_its_branch() -> None:
    found = merge_plan(
        [source("social")],
        [rows("social", "Person", 2, 1, 0), rows("social", "City", 0, 0, 4)],
        protected=(),
    )

    assert found == MergePlan(
        graphs=(
            GraphMerge(
                graph="social",
                way="merge",
                branch="sandbox/01S",
                commit=5,
                into="main",
                into_commit=3,
                rows=(
                    MergeRows(type_name="City", added=0, changed=0, removed=4),
                    MergeRows(type_name="Person", added=2, changed=1, removed=0),
                ),
                schema_steps=(),
                supported=True,
                protected=False,
                waits=(),
            ),
        )
    )


def test_graphs_without_rows_that_differ_have_nothing_to_merge() -> None:
    moved = migration("node A { k: I32? }", "node A { k: I64? }")

    assert merge_plan(
        [source("a"), source("b", migration=moved)], [rows("a", "A", 0, 0, 0)], protected=("graph.a",)
    ) == MergePlan()  # fmt: skip


def test_the_schema_comes_first_and_a_human_agrees_where_the_graph_is_protected() -> None:
    old = "node Person { name: String @key age: I32? } node City {} edge In: Person -> City"
    new = (
        'node Human @rename_from("Person") { name: String @key years: I32? @rename_from("age")'
        " email: String? @index } node City {} edge In: Human -> City"
    )

    (found,) = merge_plan(
        [source("social", migration=migration(old, new))],
        [rows("social", "Human", 1, 0, 0)],
        protected={"graph.social"},
    ).graphs

    assert found.schema_steps == snapshot(
        (
            "rename_type node Person -> Human",
            "rename_property node Human age -> years",
            "add_property node Human email",
            "add_constraint node Human",
        )
    )
    assert found.supported
    assert found.protected
    assert found.waits == (
        MergeWait(reason="schema", address=Address("schema.social")),
        MergeWait(reason="approval", address=Address("graph.social")),
    )


def test_a_migration_that_cannot_be_done_is_told() -> None:
    (found,) = merge_plan(
        [source("g", migration=migration("node A { k: I32? }", "node A { k: String? }"))],
        [rows("g", "A", 1, 0, 0)],
        protected=(),
    ).graphs

    assert not found.supported
    assert found.schema_steps[0].startswith("unsupported_change ")


def test_a_graph_that_was_made_in_the_sandbox_is_made_first_and_then_loaded() -> None:
    found = merge_plan(
        [source("new", into_commit=None, branch="main")],
        [rows("new", "A", 1, 0, 0)],
        protected=("graph.other",),
    )

    assert found.graphs[0].way == "load"
    assert waits(found) == [("graph", "graph.new")]


def test_the_plan_is_the_same_in_whatever_order_its_parts_come() -> None:
    sources = [source("b"), source("a", migration=migration("node A {}", "node A {} node B {}"))]
    changes = [rows("a", "A", 1, 0, 0), rows("a", "B", 2, 0, 0), rows("b", "C", 0, 1, 0)]

    plans = [
        merge_plan(given, told, protected=("graph.b", "graph.a"))
        for given in itertools.permutations(sources)
        for told in itertools.permutations(changes)
    ]

    assert all(plan == plans[0] for plan in plans)
    assert [graph.graph for graph in plans[0].graphs] == ["a", "b"]
    assert waits(plans[0]) == [
        ("schema", "schema.a"),
        ("approval", "graph.a"),
        ("approval", "graph.b"),
    ]
