"""Whom a stored query lends what they may not read themselves: who may run it where they may not read.

To such a caller the text of the query is the bound of what they may read, so that another text may
widen it. A stored read is run on the newest of `main` by whoever may invoke it, and on another branch
or at another point only by whoever may read there. A stored mutation is run on each branch that its
caller may change, and tells how many rows it found. Asked like a simulation, by the one function that
decides at the door, in the words of the door. Source: ADR 17.
"""

from collections.abc import Generator, Iterable, Iterator
from itertools import chain
from typing import Final

from agentctl.domain.policy.atoms import Atom, atoms
from agentctl.domain.policy.decide import authorise
from agentctl.domain.policy.live import PolicySet
from agentctl.domain.policy.population import OTHER, Asker, askers, named_in, names_a_stand_in
from agentctl.domain.policy.principals import Principal
from agentctl.domain.policy.simulate import transparent
from agentctl.ids import CLUSTER, Address

_INVOKE, _READ, _CHANGE = "invoke_query", "read", "change"
_MAIN: Final = "main"
UNDECIDED: Final = "whoever a condition of the policy lets run it"
"""Stands for callers that no simulation can name."""


def borrowing_steps(
    sets: Iterable[PolicySet], principals: Iterable[Principal], queries: Iterable[Address]
) -> Generator[None, None, dict[Address, tuple[str, ...]]]:
    """Returns, by address of a query, who may run it on a branch of its graph that they may not read.

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
    branches = {OTHER}.union(*(b.protected_branches for one in kept for b in one.bundles))
    for address in queries:
        graph, _, name = address.removeprefix("query.").partition(".")
        key = (graph if graph in graphs else OTHER, name if f"{graph}.{name}" in spoken else OTHER)
        if key not in known:
            yield
            own = {n.id.partition("@")[2] for n in named if n.id.startswith(f"{key[0]}@")}
            asked = sorted((branches | own) - {_MAIN})
            known[key] = _borrowers(kept, people, *key, asked) if plain else (UNDECIDED,)
        if known[key]:
            found[address] = known[key]
    return found


def _borrowers(
    sets: tuple[PolicySet, ...],
    people: tuple[Asker, ...],
    graph: str,
    query: str,
    branches: list[str],
) -> tuple[str, ...]:
    if any(_is_conditional(one, graph) for one in sets):
        return (UNDECIDED,)
    pairs = tuple((one, transparent(one)) for one in sets)
    return tuple(
        sorted(
            {
                one
                for asker in people
                for policies, bare in pairs
                if _borrows(policies, bare, asker, graph, query, branches)
                for one in asker.ids
            }
        )
    )


def _borrows(  # who, what and where
    policies: PolicySet,
    bare: PolicySet,
    asker: Asker,
    graph: str,
    query: str,
    branches: list[str],
) -> bool:
    """Returns whether somebody may run a query on `main`, or change by it *branches*, and not read there.

    What forbids running it under a condition may not hold for them, nor what is said of changing: *bare*
    are the policies without conditions.
    """

    def may(action: str, branch: str, by: PolicySet = policies) -> bool:
        about = f"graph.{graph}" if branch == _MAIN else f"graph.{graph}@{branch}"
        if action == _INVOKE:
            about = f"query.{graph}.{query}"
        return authorise(asker.caller, action, about, {"branch": branch}, policies=by).allow

    def runs(branch: str) -> bool:
        return may(_INVOKE, branch) or (bare is not policies and may(_INVOKE, branch, bare))

    if runs(_MAIN) and not may(_READ, _MAIN):
        return True
    loose = any(_is_loose(atom, {_CHANGE}) for atom in _heard(policies, graph))
    return any(
        (loose or may(_CHANGE, branch)) and runs(branch) and not may(_READ, branch)
        for branch in branches
    )


def _is_conditional(policies: PolicySet, graph: str) -> bool:
    """Returns whether a condition that is not enumerated has a say in who runs or who reads.

    One that only takes running away, or only adds readers who could not run, lends nothing; but a
    `permit` to read under a condition may fail to hold for whom it is asked about.
    """
    return any(map(_has_a_say, _heard(policies, graph)))


def _heard(policies: PolicySet, graph: str) -> Iterator[Atom]:
    """Yields the policies of Cedar that have a say on a graph."""
    heard = (*policies.by_scope.get(f"graph.{graph}", ()), *policies.by_scope.get(CLUSTER, ()))
    for bundle in heard:
        if bundle.kind == "cedar":
            yield from atoms(bundle.text)


def _has_a_say(atom: Atom) -> bool:
    return _is_loose(atom, {_INVOKE, _READ} if atom.effect == "permit" else {_READ})


def _is_loose(atom: Atom, actions: set[str]) -> bool:
    """Returns whether it is about one of *actions*, under a condition that is not enumerated."""
    return not atom.transparent and (not atom.actions or not atom.actions.isdisjoint(actions))
