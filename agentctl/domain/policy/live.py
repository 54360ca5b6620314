"""The policies that are in force, as one value: what is swapped when an apply lands. Source: ADR 17.

A set is made of the ledger's newest state and the catalog by `engine.policies`, and handed to
`decide.authorise`. It is immutable, so a decision is made by one set or by another, never by two.
"""

from collections.abc import Mapping
from functools import cached_property
from typing import Final, Literal

import msgspec

from agentctl.canonical import digest_of
from agentctl.domain.policy.atoms import atoms
from agentctl.domain.policy.builtin import BUILTIN

BundleKind = Literal["yaml", "cedar", "broken"]
"""A broken one cannot be read, or says what no policy may say: it denies what it would decide."""


class AppliedBundle(msgspec.Struct, frozen=True, kw_only=True):
    """One bundle with what it is bound to."""

    name: str
    digest: str
    """Of its file's bytes."""
    applies_to: tuple[str, ...]
    """``cluster``, or ``graph.<id>`` each; sorted."""
    kind: BundleKind
    text: str = ""
    """In Cedar, whole: as it is, or compiled; empty where it is broken."""
    by_action: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Of a YAML bundle: the part of `text` that is about one action."""
    decides: frozenset[str] = frozenset()
    """Of a YAML bundle: actions over which it decides in its scopes, whether or not it permits any."""
    groups: Mapping[str, tuple[str, ...]] = msgspec.field(default_factory=dict)
    """Of a YAML bundle: its groups with their actors; they hold within it."""
    protected_branches: frozenset[str] = frozenset()
    """Of a YAML bundle."""
    fault: str | None = None
    """Of a broken one: why, in our own words."""

    def speaks_of(self, action: str) -> bool:
        """Returns whether it decides over *action* in its scopes; what is broken may speak of any."""
        return self.kind != "yaml" or action in self.decides

    def groups_of(self, actor: str) -> tuple[str, ...]:
        """Returns the ids, in Cedar, of the groups of the bundle that list *actor*, sorted."""
        listed = (name for name, actors in self.groups.items() if actor in actors)
        return tuple(sorted(f"{self.name}/{name}" for name in listed))


class PolicySet(msgspec.Struct, frozen=True, kw_only=True, dict=True):
    """Every bundle in force. Two sets of one digest decide alike."""

    bundles: tuple[AppliedBundle, ...] = ()
    """Sorted by name."""
    digest: str
    faults: tuple[str, ...] = ()
    """What of it is broken, a line each; an alarm."""
    protected: frozenset[str] = frozenset()
    """Addresses of the graphs that the ledger protects."""

    @cached_property
    def by_scope(self) -> Mapping[str, tuple[AppliedBundle, ...]]:
        """Bundles by what they are bound to."""
        found: dict[str, tuple[AppliedBundle, ...]] = {}
        for bundle in self.bundles:
            for scope in bundle.applies_to:
                found[scope] = (*found.get(scope, ()), bundle)
        return found

    @cached_property
    def named_mains(self) -> frozenset[str]:
        """Ids of the graphs whose `main` a Cedar bundle names as a branch."""
        cedar = (b.text for b in self.bundles if b.kind == "cedar" and "Branch" in b.text)
        named = (named for text in cedar for atom in atoms(text) for named in atom.named)
        branches = (one.id.rpartition("@") for one in named if one.type == "Branch")
        return frozenset(graph for graph, _, branch in branches if branch == "main")

    @cached_property
    def remembered(self) -> dict[bytes, object]:
        """Decisions that were made by this set, by question; `judging` keeps it short."""
        return {}

    def protects(self, graph: str, branch: str) -> bool:
        """Returns whether the branch is one of `protected_of` the graph."""
        return branch in self.protected_of(graph)

    def protected_of(self, graph: str) -> frozenset[str]:
        """Returns the branches that a YAML bundle of the graph lists.

        Where none is bound to it, `main` of a graph that the ledger protects is.
        """
        listing = [b for b in self.by_scope.get(graph, ()) if b.kind == "yaml"]
        if listing:
            return frozenset().union(*(bundle.protected_branches for bundle in listing))
        return frozenset({"main"}) if graph in self.protected else frozenset()


def policy_set(
    bundles: tuple[AppliedBundle, ...], *, protected: frozenset[str] = frozenset()
) -> PolicySet:
    """Returns the set of *bundles*; its digest covers all that a decision depends on."""
    ordered = tuple(sorted(bundles, key=lambda b: b.name))
    if not ordered:
        return BUILTIN_SET
    told = [(b.name, b.digest, list(b.applies_to), b.kind, b.fault or "") for b in ordered]
    return PolicySet(
        bundles=ordered,
        digest=digest_of({"builtin": BUILTIN, "bundles": told, "protected": sorted(protected)}),
        faults=tuple(f"policy.{b.name}: {b.fault}" for b in ordered if b.fault is not None),
        protected=protected,
    )


BUILTIN_SET: Final = PolicySet(digest=digest_of({"builtin": BUILTIN, "bundles": []}))
"""What decides while no bundle is applied."""
