"""The collection of catalog garbage: payloads and sources that nothing kept names any more.

Proposed, shown in every plan as an irreversible change of `catalog`, consented to, and carried out
by an apply under the cluster's lease. What is removed was on the proposal and is garbage still: an
object that something names again stays. Manifests go before the files they name. A crash in between
leaves the rest, the proposal and the consent for the next apply. Source: control-plane 3.3.
"""

import re
from collections.abc import Iterable
from typing import Final

import msgspec

from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.drafting import SandboxRecord
from agentctl.domain.config.model import SourceManifest
from agentctl.domain.ledger.codec import LEDGER_FOLDER, decode_envelope
from agentctl.domain.ledger.state import State, Tombstone
from agentctl.domain.plan.codec import KeptPlan, decode_kept
from agentctl.domain.plan.disposals import Disposal
from agentctl.domain.plan.model import Change
from agentctl.domain.policy.caller import Caller
from agentctl.domain.sandbox.changeset import ChangeSetError, decode_changeset
from agentctl.domain.storage.keys import number_of
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.advance import payloads_applied
from agentctl.engine.catalog import file_key, payload_key, source_key
from agentctl.engine.cluster import Cluster
from agentctl.engine.disposals import disposal_key, standing
from agentctl.engine.leases import CLUSTER
from agentctl.engine.running import Running
from agentctl.engine.world import mint_ulid, stamp_now

SOURCES: Final = "__cluster/sources/"
RESOURCES: Final = "__cluster/resources/"
PLANS: Final = "__cluster/plans/"
CHANGE_SETS: Final = "__cluster/changesets/"
_OF_A_SANDBOX: Final = re.compile(r"sandboxes/[^/]+/__cluster/ledger/(\d{20})\.json")
"""A sandbox reads what its ledger names of the real catalog, where it has none of its own."""


class Garbage(msgspec.Struct, frozen=True, kw_only=True):
    """What may go."""

    keys: tuple[str, ...]
    """Sorted."""
    bytes: int
    proposed: Disposal | None = None
    """What waits for consent already."""


async def look(cluster: Cluster) -> Garbage:
    """Returns what nothing names now, and what was proposed.

    Raises:
        LedgerUnreadableError: an object cannot be understood; then nothing is known to be garbage.
    """
    keys = await _garbage(cluster)
    size = sum([await cluster.store.size_bytes(key) for key in keys])
    proposed = next((d for d in await standing(cluster.store) if d.kind == "garbage"), None)
    return Garbage(keys=keys, bytes=size, proposed=proposed)


async def propose(cluster: Cluster, caller: Caller, intent: str) -> Garbage | Diagnostic:
    """Puts what may go before those who decide; one proposal stands at a time.

    Raises:
        StateLockHeldError: another command is at work, whose objects nothing may name yet.
    """
    async with cluster.leases.hold(CLUSTER, principal=caller.id, operation="gc") as lease:
        if lease.fence_needed:
            await cluster.ledger.fence(lease)
            cluster.leases.fenced(lease)
        found = await look(cluster)
        if found.proposed is not None:
            return error(
                "disposal_proposed",
                found.proposed.resource,
                f"a collection of {len(found.proposed.keys)} objects waits already",
                remedy="agentctl plan; or take it back: agentctl gc --withdraw",
            )
        if not found.keys:
            return found
        made = Disposal(
            id=mint_ulid(cluster.world),
            kind="garbage",
            keys=found.keys,
            bytes=found.bytes,
            by=caller.id,
            intent=intent,
            at=stamp_now(cluster.world),
        )
        await cluster.store.create(disposal_key(made), canonical_bytes(made))
        return msgspec.structs.replace(found, proposed=made)


async def withdraw(cluster: Cluster, *, by: str = "") -> tuple[Disposal, ...]:
    """Takes back what was proposed; returns it.

    Raises:
        StateLockHeldError: another command is at work, which may be carrying it out.
    """
    async with cluster.leases.hold(CLUSTER, principal=by, operation="gc"):
        found = tuple(d for d in await standing(cluster.store) if d.kind == "garbage")
        for disposal in found:
            await cluster.store.delete(disposal_key(disposal))
        return found


async def collect(running: Running, change: Change) -> None:
    """Removes what the proposal names and nothing else does; the caller has the consent.

    Raises:
        FrozenError: the cluster was frozen meanwhile.
        LeaseLostError: another command is at work now, whose objects nothing may name yet.
    """
    cluster = running.task.cluster
    await cluster.leases.check(running.task.lease)
    await cluster.freezes.require_thawed(CLUSTER)
    proposed = await standing(cluster.store)
    disposal = next(d for d in proposed if d.digest == change.before_digest)
    garbage = frozenset(await _garbage(cluster)) - _wanted(running)
    # Manifests before files: a source that is listed is never without one of them.
    ordered = sorted(disposal.keys, key=lambda key: (not key.startswith(SOURCES), key))
    going = [key for key in ordered if key in garbage]
    for number, key in enumerate(going, start=1):
        await cluster.store.delete(key)
        running.progress(change, "objects removed", number, len(going))
    running.carried_out.append(disposal_key(disposal))


async def _garbage(cluster: Cluster) -> tuple[str, ...]:
    store = cluster.store
    there = (*await store.list(SOURCES), *await store.list(RESOURCES))
    named = await _named(cluster)
    return tuple(sorted(key for key in there if key not in named))


async def _named(cluster: Cluster) -> frozenset[str]:
    """Returns the keys that a kept ledger object, a draft, a plan or a request names."""
    named: set[str] = set()
    sources: set[str] = set()
    for key in await cluster.store.list(f"{LEDGER_FOLDER}/"):
        seq = number_of(LEDGER_FOLDER, key)
        head = await cluster.ledger.at(seq) if seq is not None else None
        if head is not None:
            named |= _keys_of(head.envelope.state)
            sources |= {head.envelope.source.digest} if head.envelope.source else set()
    sources |= await _of_drafts(cluster.store, named)
    sources |= await _of_change_sets(cluster.store)
    await _of_plans(cluster.store, named)
    for request in (await cluster.approvals.records()).requests:
        statement = request.statement
        named |= _payloads((statement.resource, d) for d in (statement.before, statement.after))
    for digest in sorted(sources):
        named |= await _of_source(cluster.store, digest)
    return frozenset(named)


def _keys_of(state: State) -> set[str]:
    resources = list(state.applied_revision.resources.items())
    for seen in state.observations.values():
        if isinstance(seen, Tombstone):
            resources += (seen.resources or {}).items()
    return _payloads((address, resource.digest) for address, resource in resources)


def _payloads(named: Iterable[tuple[str, str | None]]) -> set[str]:
    """Returns the keys of payloads, and of the files that have such a digest."""
    found: set[str] = set()
    for address, digest in named:
        if digest:
            found |= {
                file_key(digest),
                payload_key(address, digest) or file_key(digest),
            }
    return found


async def _of_drafts(store: ObjectStore, named: set[str]) -> set[str]:
    """Adds the contents that drafts stand on; returns the sources that they were opened over."""
    sources: set[str] = set()
    for key in await store.list("sandboxes/"):
        if "/blobs/" in key:
            named.add(file_key(key.rpartition("/")[2]))
        elif (of_sandbox := _OF_A_SANDBOX.fullmatch(key)) is not None:
            data = await store.read(key)
            seq = int(of_sandbox[1])
            found = decode_envelope(data.data, seq=seq).envelope if data is not None else None
            if found is not None:
                named |= _keys_of(found.state)
                sources |= {found.source.digest} if found.source else set()
        elif key.endswith("/sandbox.json"):
            data = await store.read(key)
            try:
                if data is not None:
                    sources.add(msgspec.json.decode(data.data, type=SandboxRecord).base.source)
            except msgspec.DecodeError:
                continue
    return sources


async def _of_change_sets(store: ObjectStore) -> set[str]:
    """Returns the sources that change sets stand on; a change set is history, and stays."""
    sources: set[str] = set()
    for key in await store.list(CHANGE_SETS):
        data = await store.read(key)
        try:
            if data is not None:
                sources.add(decode_changeset(data.data).base.source_digest)
        except ChangeSetError:
            continue
    return sources


async def _of_plans(store: ObjectStore, named: set[str]) -> None:
    for key in await store.list(PLANS):
        data = await store.read(key)
        kept = decode_kept(data.data, path=key) if data is not None else None
        if isinstance(kept, KeptPlan):
            named |= {file_key(digest) for digest in kept.sources.values()}
            named |= _payloads(kept.plan.resource_digests.items())


async def _of_source(store: ObjectStore, digest: str) -> set[str]:
    data = await store.read(source_key(digest))
    if data is None:
        return set()
    try:
        manifest = msgspec.json.decode(data.data, type=SourceManifest)
    except msgspec.DecodeError:
        return {source_key(digest)}
    return {source_key(digest), *(file_key(d) for d in manifest.files.values())}


def _wanted(running: Running) -> frozenset[str]:
    """Returns the keys that this apply has published, or is about to record."""
    desired = running.task.desired
    state = payloads_applied(running.state, running.changes, desired)
    own = {source_key(desired.source_digest)} | _keys_of(state)
    own |= _payloads(desired.resource_digests.items())
    own |= {file_key(sha256_hex(data)) for data in desired.files.values()}
    return frozenset(own)
