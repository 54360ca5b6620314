"""What `backup restore` does: a backup becomes a new cluster in the folder's empty storage root.

Called by the verb alone; there is no cluster yet that it could be an operation of. A human of the
backup signs the first record of the new principals chain, so an agent restores nothing.
"""

from collections.abc import Awaitable, Callable
from pathlib import Path

from agentctl.adapters.keys.sshsig import verify
from agentctl.adapters.sources.directory import Folder
from agentctl.canonical import digest_of
from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.audit.record import AuditActor
from agentctl.domain.policy.principals import Registry
from agentctl.domain.policy.vouching import vouching
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.backup import read_manifest
from agentctl.engine.cluster import Cluster, MakeStore
from agentctl.engine.principals import Signer
from agentctl.engine.restoring import Restored, Restoring, living
from agentctl.engine.world import World
from agentctl_tools.callers import operator_of
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.operation import Envelope


class Hands:
    """What a composition root lends to a restore."""

    def __init__(
        self,
        *,
        make_store: MakeStore,
        open_cluster: Callable[[Path], Awaitable[Cluster]],
        keys: tuple[str, ...],
        signer: Callable[[str], Signer | None],
        world: World,
    ) -> None:
        """Takes the public *keys* at hand, and what signs with one of them."""
        self.make_store = make_store
        self.open_cluster = open_cluster
        self.keys = keys
        self.signer = signer
        self.world = world


async def restore(
    folder: Path, place_name: str, backup_id: str, *, intent: str, hands: Hands
) -> Envelope:
    """Restores the backup into the storage root that *folder* names, and binds the folder to it.

    Raises:
        BackendError: a storage failed; the same call goes on later.
    """
    parsed = await Folder(folder).header()
    if has_errors(parsed.diagnostics):
        return failed(parsed.diagnostics)
    storage = parsed.storage.uri if parsed.storage is not None else "."
    place = hands.make_store(place_name, Path.cwd())
    store = hands.make_store(storage, folder)
    manifest = await read_manifest(place, backup_id)
    if isinstance(manifest, Diagnostic):
        return failed((manifest,))
    restoring = Restoring(
        place,
        manifest,
        home=hands.make_store(".", folder),
        store=store,
        second=hands.make_store(storage, folder),
        storage=storage,
        world=hands.world,
        verify=verify,
    )
    return await _restore(folder, store, restoring, intent, hands)


async def _restore(
    folder: Path, store: ObjectStore, restoring: Restoring, intent: str, hands: Hands
) -> Envelope:
    old = await restoring.old_registry()
    by = _human(old, hands.keys)
    if by is None and any(known.kind == "human" for known in living(old)):
        told = "none of your keys is that of a human whom the backup knows"
        remedy = "A human of the old cluster restores it: agentctl identity show"
        return refused("human_key_missing", store.uri, told, remedy=remedy)
    refusal = await restoring.refusal()
    if refusal is not None:
        return failed((refusal,))
    signer = hands.signer(by[1]) if by is not None else None
    await restoring.carry(by=by[0] if by is not None else None, signer=signer)
    cluster = await hands.open_cluster(folder)
    caller = await operator_of(cluster, keys=hands.keys)
    await cluster.audit.append(
        actor=AuditActor(
            nid=caller.nid, identity=caller.identity, kind=caller.kind, source=caller.source
        ),
        on_behalf_of=None,
        action="backup_restore",
        resource="cluster",
        decision="allow",
        policies=(),
        request_digest=digest_of([restoring.backup_id]),
    )
    restored: Restored = await restoring.record(cluster, caller, intent=intent)
    return done(
        f"Restored: cluster {restored.cluster_id[:12]} goes on from {restored.from_cluster_id[:12]}"
        f" with {count(len(restored.principals), 'principal')}. What was approved there does not"
        " count here; set a new recovery code: agentctl identity recovery."
        f" {_people(restored)}",
        data=restored,
        diagnostics=vouching(await cluster.principals.registry()),
    )


def _people(restored: Restored) -> str:
    """Says who came back, and as of when the backup knows them."""
    told = [
        f"{p.id} (last changed {p.changed_at}{'' if p.confirmed else '; to be confirmed'})"
        for p in restored.humans
    ]
    return f"Humans: {', '.join(told)}." if told else "No human came back."


def _human(old: Registry, keys: tuple[str, ...]) -> tuple[str, str] | None:
    """Returns the human of the backup whose key is at hand, and that key."""
    for key in keys:
        human = old.human_with_key(key)
        if human is not None and human.assurance != "demo":
            return human.id, key
    return None
