"""Groups that references force: who waits for whom, and who goes through. Source: axiom 9."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.config.model import Dependency
from agentctl.domain.plan.dependents import hold_needing
from agentctl.domain.plan.dispositions import dispose
from agentctl.domain.plan.forced import with_forced_groups
from agentctl.domain.plan.model import Change
from agentctl.ids import Address

DIGEST = "a" * 64


def change(verb: str, address: str, **more: object) -> Change:
    given_ = {"operation": verb, "resource": address, "classes": ("reversible",)}
    return msgspec.convert(given_ | more, Change)


def edge(source: str, target: str) -> Dependency:
    return Dependency(source=Address(source), target=Address(target))


def planned(
    *changes: Change, wanted: tuple[Dependency, ...] = (), recorded: tuple[Dependency, ...] = ()
) -> dict[str, Change]:
    grouped = with_forced_groups(changes, wanted=wanted, recorded=recorded)
    disposed = dispose(grouped, pending=frozenset(), approved=frozenset())
    return {c.resource: c for c in disposed}


def held(found: dict[str, Change]) -> set[str]:
    return {address for address, c in found.items() if c.disposition == "blocked"}


GATED = {"classes": ("authority",)}


def test_a_query_and_the_schema_it_was_checked_with_are_one_group_that_waits_together() -> None:
    found = planned(
        change("update", "schema.g", classes=("narrowing",)),
        change("update", "query.g.q"),
        change("update", "query.h.q"),
        wanted=(edge("query.g.q", "schema.g"), edge("query.h.q", "schema.h")),
        recorded=(edge("query.g.q", "schema.g"),),
    )

    assert held(found) == {"schema.g", "query.g.q"}
    assert found["schema.g"].group == found["query.g.q"].group == "references:query.g.q"
    assert found["schema.g"].needs == ("query.g.q",)
    assert found["query.h.q"].group is None


def test_a_new_query_goes_through_while_its_binding_waits() -> None:
    binding = "binding.query.g.q->mcp"
    found = planned(
        change("create", "query.g.q"),
        change("create", binding, **GATED),
        wanted=(edge(binding, "query.g.q"),),
    )

    assert held(found) == {binding}
    assert found["query.g.q"].group == found[binding].group == "references:query.g.q"


def test_a_new_graph_waits_for_the_policy_that_is_bound_to_it_and_takes_its_parts_along() -> None:
    found = planned(
        change("create", "graph.g"),
        change("create", "schema.g"),
        change("create", "query.g.q"),
        change("update", "policy.p", **GATED),
        change("create", "graph.other"),
        change("create", "schema.other"),
        wanted=(
            edge("policy.p", "graph.g"),
            edge("schema.g", "graph.g"),
            edge("query.g.q", "graph.g"),
            edge("query.g.q", "schema.g"),
        ),
    )

    assert held(found) == {"policy.p", "graph.g", "schema.g", "query.g.q"}
    assert found["graph.g"].reason == "dependency_not_applied"
    assert found["graph.other"].disposition == "applied"


def test_a_graph_is_not_bound_to_a_provider_whose_new_address_waits() -> None:
    provider = "provider.embedding.e"
    found = planned(
        change("update", provider, **GATED),
        change("create", "graph.g"),
        change("create", "schema.g"),
        wanted=(edge("graph.g", provider),),
    )

    assert held(found) == {provider, "graph.g", "schema.g"}


def test_a_query_stays_while_the_alias_that_leaves_it_is_held_back() -> None:
    found = planned(
        change("delete", "query.g.old"),
        change("create", "query.h.new"),
        change("update", "schema.h", classes=("narrowing",)),
        change("update", "alias.find"),
        wanted=(edge("alias.find", "query.h.new"), edge("query.h.new", "schema.h")),
        recorded=(edge("alias.find", "query.g.old"),),
    )

    assert held(found) == {"schema.h", "query.h.new", "alias.find", "query.g.old"}


def test_a_deletion_that_nothing_recorded_refers_to_goes_through() -> None:
    found = planned(
        change("delete", "query.g.old"),
        change("update", "schema.g", classes=("narrowing",)),
        recorded=(edge("query.g.old", "schema.g"),),
    )

    assert held(found) == {"schema.g"}


def test_a_declared_group_keeps_its_name_and_references_hold_across_it() -> None:
    found = planned(
        change("create", "query.g.q", group="mine"),
        change("create", "policy.p", group="mine", **GATED),
        change("create", "alias.find"),
        wanted=(edge("alias.find", "query.g.q"),),
    )

    assert held(found) == {"query.g.q", "policy.p", "alias.find"}
    assert found["query.g.q"].group == "mine"
    assert found["alias.find"].group == "references:query.g.q"


_NAMES = [
    "alias.a",
    "alias.b",
    "policy.p",
    "policy.r",
    "provider.embedding.e",
    "query.g.x",
    "query.g.y",
    "query.h.z",
    "schema.g",
    "schema.h",
]


@st.composite
def plans(draw: st.DrawFn) -> tuple[tuple[Change, ...], list[Dependency], list[Dependency]]:
    names = draw(st.lists(st.sampled_from(_NAMES), unique=True, min_size=2))
    changes = []
    for name in sorted(names):
        verbs = ["update"] if name.startswith("schema.") else ["create", "update", "delete"]
        class_ = draw(st.sampled_from(["reversible", "reversible", "authority"]))
        changes.append(change(draw(st.sampled_from(verbs)), name, classes=(class_,)))
    edges = st.lists(
        st.tuples(st.sampled_from(_NAMES), st.sampled_from(_NAMES)).map(lambda e: edge(*e)),
        max_size=12,
    )
    return tuple(changes), draw(edges), draw(edges)


@given(plans())
def test_no_reference_is_applied_without_the_other_end_as_it_was_checked(
    made: tuple[tuple[Change, ...], list[Dependency], list[Dependency]],
) -> None:
    changes, wanted, recorded = made
    found = planned(*changes, wanted=tuple(wanted), recorded=tuple(recorded))

    def goes(address: str) -> bool:
        return found[address].disposition == "applied"

    for e in wanted:
        source, target = found.get(e.source), found.get(e.target)
        if source is None or target is None or "delete" in {source.operation, target.operation}:
            continue
        if target.resource.startswith("policy.") and target.operation == "update":
            continue
        assert not goes(e.source) or goes(e.target)
    for e in recorded:
        source, target = found.get(e.source), found.get(e.target)
        if source is None or target is None or "create" in {source.operation, target.operation}:
            continue
        if target.resource.startswith("policy.") and target.operation == "update":
            continue
        assert not goes(e.target) or goes(e.source)


@given(plans())
def test_what_needs_nothing_that_is_held_back_goes_through(
    made: tuple[tuple[Change, ...], list[Dependency], list[Dependency]],
) -> None:
    changes, wanted, recorded = made
    alone = dispose(changes, pending=frozenset(), approved=frozenset())
    grouped = with_forced_groups(alone, wanted=wanted, recorded=recorded)
    found = {c.resource: c for c in hold_needing(grouped)}

    for before in grouped:
        after = found[before.resource]
        if after.disposition != before.disposition:
            assert before.disposition == "applied"
            assert any(found[a].disposition == "blocked" for a in before.needs)
        else:
            assert after == before


@given(plans())
def test_all_that_need_each_other_are_of_one_group(
    made: tuple[tuple[Change, ...], list[Dependency], list[Dependency]],
) -> None:
    changes, wanted, recorded = made
    found = {c.resource: c for c in with_forced_groups(changes, wanted=wanted, recorded=recorded)}

    for c in found.values():
        assert all(found[needed].group == c.group for needed in c.needs)
        assert c.group is None or any(c.resource in o.needs or c.needs for o in found.values())
