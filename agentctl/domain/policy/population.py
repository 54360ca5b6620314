"""Whom and what a simulation asks about: the enrolled, whom policies name, and strangers.

Who is alike to every policy is asked once: principals of one kind with the same groups whom nobody
names, graphs that nothing is bound to. So the answers hold for all there are, and for those to come.
Source: control-plane 3.3, ADR 17.
"""

from collections.abc import Iterable, Iterator, Mapping
from itertools import combinations, product
from typing import Final

import msgspec

from agentctl.domain.policy.atoms import Named, atoms
from agentctl.domain.policy.caller import Caller, PrincipalKind, Via
from agentctl.domain.policy.live import AppliedBundle, PolicySet
from agentctl.domain.policy.principals import PRINCIPAL_ID, Principal
from agentctl.domain.policy.request import ACTIONS, PRINCIPALS

_VIA: Final[Mapping[PrincipalKind, Via]] = {"human": "cli", "agent": "mcp", "service": "http"}
"""How each kind usually comes in; no transparent policy asks."""
_KINDS: Final = {entity: kind for kind, entity in PRINCIPALS.items()}
OTHER: Final = "any-other"
"""Stands for every graph, query, branch, draft that nothing names."""
_STRANGERS: Final[tuple[tuple[str, PrincipalKind, bool], ...]] = (
    ("local:*", "human", False),
    ("agent:local:*", "agent", False),
    ("*", "human", True),
    ("agent:*", "agent", True),
    ("service:*", "service", True),
)
"""Who is at a terminal without a key, and whoever is enrolled later: id, kind, whether enrolled."""
STRANGERS: Final = {
    "*": "any other enrolled human",
    "agent:*": "any other enrolled agent",
    "service:*": "any other enrolled service",
    "local:*": "whoever has no key at their own terminal",
    "agent:local:*": "the agents of whoever has no key",
}
"""Those who stand for whoever there may be, in words."""
_EVERY_SUBSET_MAX: Final = 3
"""Groups of which strangers are asked about in every combination; of more in fewer ones."""
_EVERY_PAIR_MAX: Final = 6


class Asker(msgspec.Struct, frozen=True, kw_only=True):
    """Principals that are alike to every policy."""

    caller: Caller
    """One of them."""
    ids: tuple[str, ...]
    """All of them, sorted; an id with ``*`` stands for whoever there may be."""


class Topic(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that may be asked for."""

    action: str
    resource: str
    context: Mapping[str, object] = msgspec.field(default_factory=dict)


def named_in(policies: PolicySet) -> frozenset[Named]:
    """Returns every entity that a Cedar bundle names."""
    cedar = (bundle.text for bundle in policies.bundles if bundle.kind == "cedar")
    return frozenset(named for text in cedar for atom in atoms(text) for named in atom.named)


def askers(
    principals: Iterable[Principal], sets: Iterable[PolicySet], named: frozenset[Named]
) -> tuple[Asker, ...]:
    """Returns the principals, alike ones together, in the order of their first ids."""
    bundles = [bundle for one in sets for bundle in one.bundles]
    groups = {n.id for n in named if n.type == "Group"}
    literal = {(n.type, n.id) for n in named if n.type in _KINDS}
    found: dict[object, list[Caller]] = {}
    for caller in _everybody(principals, sorted(groups), _actors(bundles), literal):
        signature = (
            caller.kind,
            caller.enrolled,
            frozenset(caller.groups) & groups,
            tuple(b.groups_of(caller.id) for b in bundles),
            caller.id if (PRINCIPALS[caller.kind], caller.id) in literal else None,
        )
        found.setdefault(signature, []).append(caller)
    return tuple(
        Asker(caller=alike[0], ids=tuple(sorted({c.id for c in alike}))) for alike in found.values()
    )


def names_a_stand_in(sets: Iterable[PolicySet], named: frozenset[Named]) -> bool:
    """Returns whether a policy names what here stands for all that none names.

    Then nothing follows from the answers: a bundle that forbids a graph of that name would hide what
    it permits on every other one.
    """
    bundles = [bundle for one in sets for bundle in one.bundles]
    places = {n.id for n in named} | {a for b in bundles for a in b.applies_to}
    places.update(branch for b in bundles for branch in b.protected_branches)
    people = {n.id for n in named} | _actors(bundles)
    return any(OTHER in place for place in places) or not STRANGERS.keys().isdisjoint(people)


def _actors(bundles: Iterable[AppliedBundle]) -> frozenset[str]:
    """Returns every actor that a YAML bundle names."""
    return frozenset(actor for b in bundles for actors in b.groups.values() for actor in actors)


def topics(
    sets: Iterable[PolicySet], named: frozenset[Named], graphs: frozenset[str] | None
) -> Iterator[Topic]:
    """Yields what may be asked for.

    Args:
        sets: those that are compared.
        named: every entity that a policy of them names.
        graphs: ids, where only what belongs to these is of interest; None for the whole cluster.
    """
    sets = tuple(sets)
    bundles = [bundle for one in sets for bundle in one.bundles]
    bound = {a.removeprefix("graph.") for b in bundles for a in b.applies_to if "." in a}
    bound.update(a.removeprefix("graph.") for one in sets for a in one.protected)
    known = {n.id for n in named if n.type == "Graph"} | {
        n.id.partition("@" if n.type == "Branch" else ".")[0]
        for n in named
        if n.type in {"Branch", "Query"}
    }
    asked = sorted(graphs) if graphs is not None else [*sorted(bound | known), OTHER]
    branches = sorted(
        {"main", OTHER} | {branch for b in bundles for branch in b.protected_branches}
    )
    for action, kinds in ACTIONS.items():
        for kind in kinds:
            if kind in {"Graph", "Branch", "Query"}:
                for graph in asked:
                    yield from _of_graph(action, kind, graph, branches, named)
            elif graphs is None:
                yield from _of_cluster(action, kind, named)


def _of_graph(
    action: str, kind: str, graph: str, branches: list[str], named: frozenset[Named]
) -> Iterator[Topic]:
    if kind == "Query":
        ids = {n.id for n in named if n.type == "Query" and n.id.startswith(f"{graph}.")}
        for query in sorted(ids | {f"{graph}.{OTHER}"}):
            yield Topic(action=action, resource=f"query.{query}")
            if action == "invoke_query":  # on `main` unless another branch is named
                for branch in (b for b in branches if b != "main"):
                    context = {"branch": branch}
                    yield Topic(action=action, resource=f"query.{query}", context=context)
    elif kind == "Branch":
        ids = {n.id for n in named if n.type == "Branch" and n.id.startswith(f"{graph}@")}
        for branch in sorted(ids | {f"{graph}@{b}" for b in branches}):
            yield Topic(action=action, resource=f"graph.{branch}")
    else:
        yield Topic(action=action, resource=f"graph.{graph}")
        if action in {"branch_create", "branch_merge"}:
            for source, branch in product(branches, repeat=2):
                context = {"branch": source, "target_branch": branch}
                yield Topic(action=action, resource=f"graph.{graph}", context=context)


def _of_cluster(action: str, kind: str, named: frozenset[Named]) -> Iterator[Topic]:
    if kind == "Cluster":
        yield Topic(action=action, resource="cluster")
        return
    ids = {n.id for n in named if n.type == kind} | {OTHER}
    for name in sorted(ids):
        yield Topic(action=action, resource=f"{kind.lower()}:{name}")


def _everybody(
    principals: Iterable[Principal],
    groups: list[str],
    actors: frozenset[str],
    literal: set[tuple[str, str]],
) -> Iterator[Caller]:
    enrolled = {p.id: p for p in principals if not p.revoked}
    for one in sorted(enrolled.values(), key=lambda p: p.id):
        yield _caller(one.id, one.kind, enrolled=True, groups=one.groups)
    for name in sorted(actors | {name for _, name in literal}):
        if name not in enrolled:
            kinds = {_KINDS[kind] for kind, one in literal if one == name}
            for kind in (k for k in _VIA if k in kinds or k == _kind_of(name)):
                yield _caller(name, kind, enrolled=_may_be_enrolled(name))
    for name, kind, is_enrolled in _STRANGERS:
        for some in _memberships(groups) if is_enrolled else ((),):
            yield _caller(name, kind, enrolled=is_enrolled, groups=some)


def _memberships(groups: list[str]) -> Iterator[tuple[str, ...]]:
    """Yields the groups that a stranger may be in: none, one, several at once, all."""
    few = 2 if len(groups) <= _EVERY_PAIR_MAX else 1
    together = len(groups) if len(groups) <= _EVERY_SUBSET_MAX else few
    for size in range(together + 1):
        yield from combinations(groups, size)
    if len(groups) > together:
        yield tuple(groups)


def _kind_of(name: str) -> PrincipalKind:
    """Returns the kind that an id tells; of a human it has no prefix."""
    prefix = name.partition(":")[0]
    return "agent" if prefix == "agent" else "service" if prefix == "service" else "human"


def _may_be_enrolled(name: str) -> bool:
    """Returns whether a chain can have that id: implicit operators and agents have ids it cannot."""
    return PRINCIPAL_ID.fullmatch(name) is not None


def _caller(
    name: str, kind: PrincipalKind, *, enrolled: bool, groups: tuple[str, ...] = ()
) -> Caller:
    return Caller(
        id=name,
        kind=kind,
        nid=f"local:{name}",
        identity=name,
        via=_VIA[kind],
        groups=groups,
        enrolled=enrolled,
    )
