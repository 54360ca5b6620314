"""The policies in force: what the ledger's newest state records, out of the catalog. Source: ADR 17.

Read anew for every call, so that an apply that landed decides the next one, in every process: the
set changes as a whole or not at all. A payload is hashed again when it is first used; while the
digests stay the same the same set is returned. A bundle that cannot be read or parsed stays in force
and denies what it would have decided.
"""

from collections.abc import Generator, Iterable
from typing import Final, TypeVar
from weakref import WeakKeyDictionary

from anyio.lowlevel import checkpoint

from agentctl.domain.config.model import DesiredCluster
from agentctl.domain.ledger.state import AppliedResource, State
from agentctl.domain.policy.compile import broken, compile_bundle
from agentctl.domain.policy.lending import borrowing_steps
from agentctl.domain.policy.live import BUILTIN_SET, AppliedBundle, PolicySet, policy_set
from agentctl.domain.policy.principals import Principal
from agentctl.domain.policy.simulate import Impact, impact_steps
from agentctl.engine.catalog import Catalog
from agentctl.engine.cluster import Cluster
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


async def impact(
    cluster: Cluster,
    *,
    desired: DesiredCluster,
    state: State | None,
    protected: tuple[str, ...],
    principals: Iterable[Principal],
) -> Impact | None:
    """Returns what the policies of *desired* change for whom; None where they are what is recorded."""
    recorded = state.applied_revision.resources if state is not None else {}
    was = {
        a.removeprefix(_PREFIX): (r.digest, tuple(sorted(r.applies_to or ())))
        for a, r in recorded.items()
        if a.startswith(_PREFIX)
    }
    wanted = {p.name: (p.digest, p.applies_to) for p in desired.policies}
    changed = frozenset(n for n in {*was, *wanted} if was.get(n) != wanted.get(n))
    if not changed:
        return None
    graphs = frozenset(a for a in protected if a.startswith("graph."))
    before = await policies_of(cluster.catalog, state or State(), graphs)
    return await _stepped(
        impact_steps(before, wanted_policies(desired, graphs), principals, changed)
    )


async def _stepped(steps: Generator[None, None, Found]) -> Found:
    """Returns what *steps* come to, and lets others go on in between."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            found: Found = end.value
            return found
        await checkpoint()


async def lent(
    cluster: Cluster,
    *,
    desired: DesiredCluster,
    state: State | None,
    protected: tuple[str, ...],
    principals: Iterable[Principal],
) -> dict[Address, tuple[str, ...]]:
    """Returns the stored queries that *desired* changes, with who may run one and not read its graph."""
    recorded = state.applied_revision.resources if state is not None else {}
    changed = [
        address
        for graph in desired.graphs
        for query in graph.queries
        if (was := recorded.get(address := query_address(graph.id, query.name))) is None
        or was.digest != query.digest
    ]
    if not changed or not (desired.policies or any(a.startswith(_PREFIX) for a in recorded)):
        return {}
    graphs = frozenset(a for a in protected if a.startswith("graph."))
    before = await policies_of(cluster.catalog, state or State(), graphs)
    wanted = wanted_policies(desired, graphs)
    return await _stepped(borrowing_steps((before, wanted), principals, changed))


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
