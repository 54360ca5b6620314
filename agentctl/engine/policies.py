"""The policies in force: what the ledger's newest state records, out of the catalog. Source: ADR 17.

Read anew for every call, so that an apply that landed decides the next one, in every process: the
set changes as a whole or not at all. A payload is hashed again when it is first used; while the
digests stay the same the same set is returned. A bundle that cannot be read or parsed stays in force
and denies what it would have decided.
"""

from collections.abc import Generator, Mapping
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

import msgspec
from anyio.lowlevel import checkpoint

from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.state import AppliedResource, State
from agentctl.domain.policy.compile import broken, compile_bundle
from agentctl.domain.policy.lending import borrowing_steps
from agentctl.domain.policy.live import BUILTIN_SET, AppliedBundle, PolicySet, policy_set
from agentctl.domain.policy.principals import Principal, Registry
from agentctl.domain.policy.simulate import Impact, impact_steps
from agentctl.engine.catalog import Catalog
from agentctl.engine.cluster import Cluster
from agentctl.engine.ledger import Head
from agentctl.engine.remembering import remembered
from agentctl.ids import CLUSTER, Address, query_address

Found = TypeVar("Found")

_PREFIX: Final = "policy."
_KNOWN: "WeakKeyDictionary[Catalog, dict[str, PolicySet]]" = WeakKeyDictionary()
"""Of each opened cluster the newest set, by what is recorded."""


async def live_policies(cluster: Cluster) -> PolicySet:
    """Returns the policies that decide now; `BUILTIN_SET` where none is applied.

    Raises:
        LedgerUnreadableError: the ledger cannot be trusted or understood.
        BackendError: the storage root failed.
    """
    return await remembered(cluster, "the policies in force", lambda: _live(cluster))


async def _live(cluster: Cluster) -> PolicySet:
    head = await cluster.ledger.head()
    if head is None:
        return BUILTIN_SET
    protected = frozenset(a for a in head.envelope.protected if a.startswith("graph."))
    return await policies_of(cluster.catalog, head.envelope.state, protected)


async def policies_of(
    catalog: Catalog, state: State, protected: frozenset[str] = frozenset()
) -> PolicySet:
    """Returns the policies that *state* records."""
    recorded = {
        address: resource
        for address, resource in state.applied_revision.resources.items()
        if address.startswith(_PREFIX)
    }
    if not recorded:
        return BUILTIN_SET
    told = sorted((a, r.digest, r.applies_to) for a, r in recorded.items())
    key = repr((told, sorted(protected)))
    known = _KNOWN.get(catalog, {}).get(key)
    if known is None:
        bundles = [await _bundle(catalog, a, recorded[a]) for a in sorted(recorded)]
        known = policy_set(tuple(bundles), protected=protected)
        if not known.faults:
            _KNOWN[catalog] = {key: known}
    return known


def wanted_policies(desired: DesiredCluster, protected: frozenset[str]) -> PolicySet:
    """Returns the policies that would be in force if *desired* were applied."""
    bundles = (
        compile_bundle(desired.files[p.file], name=p.name, digest=p.digest, applies_to=p.applies_to)
        for p in desired.policies
    )
    return policy_set(tuple(bundles), protected=protected)


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is wanted in place of what is recorded, as far as policies are concerned."""

    desired: DesiredCluster
    state: State
    """As recorded."""
    protected: frozenset[str]
    """Addresses of the graphs that the ledger protects."""
    principals: tuple[Principal, ...]
    """The enrolled ones."""

    @classmethod
    def over(
        cls,
        head: Head | None,
        desired: DesiredCluster,
        registry: Registry,
        state: State | None = None,
    ) -> "Wanted":
        """Returns what is wanted over *head*, or over *state* where a sweep moved it since."""
        protected = head.envelope.protected if head is not None else ()
        recorded = state or (head.envelope.state if head is not None else State())
        return cls(
            desired=desired,
            state=recorded,
            protected=frozenset(a for a in protected if a.startswith("graph.")),
            principals=tuple(registry.principals.values()),
        )

    @property
    def recorded(self) -> Mapping[str, AppliedResource]:
        """The applied resources by address."""
        return self.state.applied_revision.resources


async def impact(cluster: Cluster, asked: Wanted) -> Impact | None:
    """Returns what the wanted policies change for whom; None where they are what is recorded."""
    was = {
        a.removeprefix(_PREFIX): (r.digest, tuple(sorted(r.applies_to or ())))
        for a, r in asked.recorded.items()
        if a.startswith(_PREFIX)
    }
    wanted = {p.name: (p.digest, p.applies_to) for p in asked.desired.policies}
    changed = frozenset(n for n in {*was, *wanted} if was.get(n) != wanted.get(n))
    if not changed:
        return None
    before, after = await _both(cluster, asked)
    return await _stepped(impact_steps(before, after, asked.principals, changed))


async def _stepped(steps: Generator[None, None, Found]) -> Found:
    """Returns what *steps* come to, and lets others go on in between."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Found = end.value
            return found
        await checkpoint()


async def lent(cluster: Cluster, asked: Wanted) -> dict[Address, tuple[str, ...]]:
    """Returns the stored queries that change, with who may run one and not read its graph."""
    changed = [
        address
        for graph in asked.desired.graphs
        for query in graph.queries
        if (was := asked.recorded.get(address := query_address(graph.id, query.name))) is None
        or was.digest != query.digest
    ]
    governed = asked.desired.policies or any(a.startswith(_PREFIX) for a in asked.recorded)
    if not changed or not governed:
        return {}
    return await _stepped(borrowing_steps(await _both(cluster, asked), asked.principals, changed))


async def _both(cluster: Cluster, asked: Wanted) -> tuple[PolicySet, PolicySet]:
    """Returns the policies in force and the wanted ones."""
    before = await policies_of(cluster.catalog, asked.state, asked.protected)
    return before, wanted_policies(asked.desired, asked.protected)


async def _bundle(catalog: Catalog, address: str, resource: AppliedResource) -> AppliedBundle:
    name = address.removeprefix(_PREFIX)
    # What is bound to nothing that is known may have been bound to anything.
    applies_to = resource.applies_to or (CLUSTER,)
    check, data = await catalog.read(address, resource.digest)
    if data is None:
        told = check.diagnostic()
        why = told.message if told is not None else "its payload cannot be read"
        return broken(why, name=name, digest=resource.digest, applies_to=applies_to)
    return compile_bundle(data, name=name, digest=resource.digest, applies_to=applies_to)
