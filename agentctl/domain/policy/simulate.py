"""What changes for whom when one set of policies takes the place of another, and whether it widens.

Both sets are asked the same questions by the one function that decides at the door. Where the answer
depends on something that cannot be enumerated the change counts as widening, unless the text alone
shows that it is none: no ``permit`` more, no ``forbid`` less. Source: control-plane 3.3, ADR 17.
"""

from collections.abc import Generator, Iterable, Iterator, Mapping
from itertools import islice
from typing import Final

import msgspec

from agentctl.domain.policy.atoms import Atom, atoms
from agentctl.domain.policy.builtin import CONSENT
from agentctl.domain.policy.decide import authorise
from agentctl.domain.policy.live import AppliedBundle, PolicySet
from agentctl.domain.policy.population import (
    Asker,
    Topic,
    askers,
    named_in,
    names_a_stand_in,
    topics,
)
from agentctl.domain.policy.principals import Principal
from agentctl.ids import CLUSTER

QUESTIONS_MAX: Final = 20_000
"""Asked of one comparison; a larger one is not decided, and so counts as widening."""
QUESTIONS_AT_ONCE: Final = 100


class Shift(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """Something that somebody may do after and not before, or the other way round."""

    action: str
    resource: str
    """As it was asked about; ``any-other`` in it stands for whatever nothing names."""
    who: tuple[str, ...]
    """Ids, sorted; one with ``*`` stands for whoever there may be."""
    branch: str | None = None


class Impact(msgspec.Struct, frozen=True, kw_only=True):
    """What a change of policies does."""

    gains: tuple[Shift, ...] = ()
    """Sorted, as the losses."""
    losses: tuple[Shift, ...] = ()
    widening: tuple[str, ...] = ()
    """Names of the bundles whose change may let somebody do more, sorted."""
    scopes: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """By name of a changed bundle: what it is bound to, before or after; sorted."""
    undecided: Mapping[str, str] = msgspec.field(default_factory=dict)
    """By name of a bundle: why its effect cannot be decided; it is among `widening`."""
    everybody: tuple[str, ...] = ()
    """Ids of all who were asked about, sorted."""
    asked: int = 0
    """Questions put to each of the two sets."""


def impact_of(
    before: PolicySet, after: PolicySet, principals: Iterable[Principal], changed: frozenset[str]
) -> Impact:
    """Returns what `impact_steps` comes to, at one go."""
    steps = impact_steps(before, after, principals, changed)
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Impact = end.value
            return found


def impact_steps(
    before: PolicySet, after: PolicySet, principals: Iterable[Principal], changed: frozenset[str]
) -> Generator[None, None, Impact]:
    """Returns what it means for whom that *after* takes the place of *before*.

    Yields now and then, so that a server can do something else in between.

    Args:
        before: in force now.
        after: wanted.
        principals: the enrolled ones.
        changed: names of the bundles that differ; others are not judged.
    """
    scopes = {name: _scopes(name, before, after) for name in changed}
    undecided = {
        name: why
        for name, bound in scopes.items()
        if (why := _undecidable(bound, before, after)) is not None
    }
    everyone = _Questions(before, after, tuple(principals), frozenset().union(*scopes.values()))
    if everyone.unanswerable is not None:
        told = everyone.unanswerable
        return Impact(
            widening=tuple(sorted(changed)), undecided=dict.fromkeys(sorted(changed), told)
        )
    gains, losses = yield from _shifts(everyone, before, after)
    plain = (transparent(before), transparent(after))
    opened = gains
    if plain != (before, after):
        opened, _ = yield from _shifts(everyone, *plain)
    seen = (*gains, *opened)
    widening = {n for n, bound in scopes.items() if any(_within(s, bound) for s in seen)}
    return Impact(
        gains=gains,
        losses=losses,
        widening=tuple(sorted(widening | undecided.keys())),
        scopes={name: tuple(sorted(scopes[name])) for name in sorted(scopes)},
        undecided=dict(sorted(undecided.items())),
        everybody=everyone.people,
        asked=len(everyone.all),
    )


def touches(impact: Impact, name: str, shift: Shift) -> bool:
    """Returns whether *shift* lies in the scopes of the changed bundle *name*."""
    return _within(shift, frozenset(impact.scopes.get(name, ())))


class _Questions:
    """Everything that is asked of two sets."""

    def __init__(
        self,
        before: PolicySet,
        after: PolicySet,
        principals: tuple[Principal, ...],
        scopes: frozenset[str],
    ) -> None:
        named = named_in(before) | named_in(after)
        graphs = None if CLUSTER in scopes else frozenset(s.removeprefix("graph.") for s in scopes)
        asked = (t for t in topics((before, after), named, graphs) if t.action not in CONSENT)
        people = askers(principals, (before, after), named)
        self.people = tuple(sorted({one for asker in people for one in asker.ids}))
        limit = QUESTIONS_MAX // max(len(people), 1)
        found = tuple(islice(asked, limit + 1))
        self.unanswerable: str | None = None
        """Why nothing follows from the answers; None where it does."""
        if len(found) > limit:
            self.unanswerable = f"more than {QUESTIONS_MAX:,} questions"
        if names_a_stand_in((before, after), named):
            self.unanswerable = "a policy names what stands for whatever no policy names"
        self.all: tuple[tuple[Asker, Topic], ...] = tuple((w, t) for t in found for w in people)


def _shifts(
    everyone: _Questions, before: PolicySet, after: PolicySet
) -> Generator[None, None, tuple[tuple[Shift, ...], tuple[Shift, ...]]]:
    gained: dict[tuple[str, str, str], set[str]] = {}
    lost: dict[tuple[str, str, str], set[str]] = {}
    for number, (who, topic) in enumerate(everyone.all):
        if number % QUESTIONS_AT_ONCE == 0:
            yield
        had, has = (
            authorise(who.caller, topic.action, topic.resource, topic.context, policies=p).allow
            for p in (before, after)
        )
        if had != has:
            branch = str(topic.context.get("target_branch") or "")
            key = (topic.action, topic.resource, branch)
            (gained if has else lost).setdefault(key, set()).update(who.ids)
    return _sorted(gained), _sorted(lost)


def _sorted(found: Mapping[tuple[str, str, str], set[str]]) -> tuple[Shift, ...]:
    return tuple(
        Shift(action=action, resource=resource, branch=branch or None, who=tuple(sorted(who)))
        for (action, resource, branch), who in sorted(found.items())
    )


def _scopes(name: str, before: PolicySet, after: PolicySet) -> frozenset[str]:
    """Returns what the bundle is bound to in either."""
    return frozenset(
        scope for one in (before, after) for b in one.bundles if b.name == name for scope in b.applies_to
    )  # fmt: skip


def _within(shift: Shift, scopes: frozenset[str]) -> bool:
    if CLUSTER in scopes:
        return True
    kind, _, rest = shift.resource.partition(".")
    graph = rest.partition("@")[0].partition(".")[0]
    return kind in {"graph", "query"} and f"graph.{graph}" in scopes


def _undecidable(scopes: frozenset[str], before: PolicySet, after: PolicySet) -> str | None:
    """Returns why the text does not show what the change may open; None where it does."""
    for scope in sorted(scopes):
        had, has = _heard(before, scope), _heard(after, scope)
        if len(before.by_scope.get(scope, ())) > 1 or any(b.kind == "broken" for b in has):
            return "several policies are bound to one scope, or one is broken"
        old, new = tuple(_atoms(had)), tuple(_atoms(has))
        why = _opened(old, new, widens=_moves_up(scope, before, after))
        if why is not None:
            return why
        moved = before.protected_of(scope) != after.protected_of(scope)
        if moved and any(not a.transparent and a.on_protection for a in new):
            return "other branches are protected, and a condition is about that and more"
    return None


def _opened(had: tuple[Atom, ...], has: tuple[Atom, ...], *, widens: bool) -> str | None:
    old, new = {a.meaning for a in had}, {a.meaning for a in has}
    added = [a for a in has if a.meaning not in old]
    taken = [a for a in had if a.meaning not in new]
    opaque = any(a.effect == "permit" and not a.transparent for a in has)
    if any(a.effect == "permit" and not a.transparent for a in added):
        return "a condition of a new `permit` is about more than who, what and which branch"
    if any(a.effect == "forbid" and not a.transparent for a in taken):
        return "a condition of a `forbid` that goes is about more than who, what and which branch"
    if any(a.may_fail for a in taken):
        return "a policy that goes may have failed, which denied"
    fewer = any(a.effect == "forbid" for a in taken)
    if opaque and (fewer or widens):
        return "a `permit` that stays has a condition, and less stands against it"
    return None


def _moves_up(scope: str, before: PolicySet, after: PolicySet) -> bool:
    """Returns whether a scope leaves to the one above it what it decided itself."""
    had, has = before.by_scope.get(scope, ()), after.by_scope.get(scope, ())
    if any(b.kind != "yaml" for b in had):
        return all(b.kind == "yaml" for b in has)
    return not frozenset().union(*(b.decides for b in had)) <= frozenset().union(
        *(b.decides for b in has)
    ) and not any(b.kind == "cedar" for b in has)


def _heard(policies: PolicySet, scope: str) -> tuple[AppliedBundle, ...]:
    """Returns the bundles that decide where one of *scope* has a say; that of the cluster has everywhere."""
    if scope == CLUSTER:
        return policies.bundles
    return (*policies.by_scope.get(scope, ()), *policies.by_scope.get(CLUSTER, ()))


def _atoms(bundles: Iterable[AppliedBundle]) -> Iterator[Atom]:
    """Yields the policies of Cedar bundles; of YAML and of the defaults all is enumerated."""
    for bundle in bundles:
        if bundle.kind == "cedar":
            yield from atoms(bundle.text)


def transparent(policies: PolicySet) -> PolicySet:
    """Returns the set without what cannot be enumerated; itself where there is no such thing."""
    bundles = tuple(map(_reduced, policies.bundles))
    if bundles == policies.bundles:
        return policies
    digest = f"{policies.digest}, transparent"
    return PolicySet(bundles=bundles, digest=digest, protected=policies.protected)


def _reduced(bundle: AppliedBundle) -> AppliedBundle:
    if bundle.kind != "cedar":
        return bundle
    kept = [atom.text for atom in atoms(bundle.text) if atom.transparent]
    if len(kept) == len(atoms(bundle.text)):
        return bundle
    return msgspec.structs.replace(bundle, text="\n".join(kept))
