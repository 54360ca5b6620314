"""Whom a stored query lends what they may not read themselves: who may run it, and not read its graph.

To such a caller the text of the query is the bound of what they may read, so that another text may
widen it. Asked like a simulation, by the one function that decides at the door. Source: ADR 17.
"""

from collections.abc import Generator, Iterable
from itertools import chain
from typing import Final

from agentctl.domain.policy.atoms import Atom, atoms
from agentctl.domain.policy.decide import authorise
from agentctl.domain.policy.live import PolicySet
from agentctl.domain.policy.population import OTHER, Asker, askers, named_in, names_a_stand_in
from agentctl.domain.policy.principals import Principal
from agentctl.ids import CLUSTER, Address

_INVOKE, _READ = "invoke_query", "read"
UNDECIDED: Final = "whoever a condition of the policy lets run it"
"""Stands for callers that no simulation can name."""


def borrowing_steps(
    sets: Iterable[PolicySet], principals: Iterable[Principal], queries: Iterable[Address]
) -> Generator[None, None, dict[Address, tuple[str, ...]]]:
    """Returns, by address of a query, who may run it and not read `main` of its graph.

    Queries that nobody borrows by are left out. Queries and graphs that no policy names are asked
    about once. Yields now and then, so that a server can do something else in between.

    Args:
        sets: the policies before a change and after it; what either lends counts.
        principals: the enrolled.
        queries: addresses of stored queries.
    """
    kept = tuple(one for one in sets if one.bundles)
    if not kept:
        return {}  # whom the built-in rules let run a query may read
    named = frozenset(chain.from_iterable(map(named_in, kept)))
    people, plain = askers(principals, kept, named), not names_a_stand_in(kept, named)
    spoken = {n.id for n in named} | {
        scope.removeprefix("graph.") for one in kept for scope in one.by_scope
    }
    known: dict[tuple[str, str], tuple[str, ...]] = {}
    found: dict[Address, tuple[str, ...]] = {}
    graphs = {name.partition(".")[0].partition("@")[0] for name in spoken}
    for address in queries:
        graph, _, name = address.removeprefix("query.").partition(".")
        key = (graph if graph in graphs else OTHER, name if f"{graph}.{name}" in spoken else OTHER)
        if key not in known:
            yield
            known[key] = _borrowers(kept, people, *key) if plain else (UNDECIDED,)
        if known[key]:
            found[address] = known[key]
    return found


def _borrowers(
    sets: tuple[PolicySet, ...], people: tuple[Asker, ...], graph: str, query: str
) -> tuple[str, ...]:
    if any(_is_conditional(one, graph) for one in sets):
        return (UNDECIDED,)
    return tuple(
        sorted(
            {
                one
                for asker in people
                for policies in sets
                if _borrows(policies, asker, graph, query)
                for one in asker.ids
            }
        )
    )


def _borrows(policies: PolicySet, asker: Asker, graph: str, query: str) -> bool:
    runs = authorise(asker.caller, _INVOKE, f"query.{graph}.{query}", policies=policies)
    if not runs.allow:
        return False
    return not authorise(asker.caller, _READ, f"graph.{graph}@main", policies=policies).allow


def _is_conditional(policies: PolicySet, graph: str) -> bool:
    """Returns whether a condition that is not enumerated has a say in who runs or who reads.

    One that only takes running away, or only adds readers who could not run, lends nothing; but a
    `permit` to read under a condition may fail to hold for whom it is asked about.
    """
    heard = (*policies.by_scope.get(f"graph.{graph}", ()), *policies.by_scope.get(CLUSTER, ()))
    return any(
        _has_a_say(atom)
        for bundle in heard
        if bundle.kind == "cedar"
        for atom in atoms(bundle.text)
    )


def _has_a_say(atom: Atom) -> bool:
    if atom.transparent:
        return False
    of_weight = {_INVOKE, _READ} if atom.effect == "permit" else {_READ}
    return not atom.actions or not atom.actions.isdisjoint(of_weight)
