"""Anchors the audit chain elsewhere, and gathers what outside the chain proves it. Source: trust.md.

An anchor is written after the call that asks for it is itself a record, so it proves that too.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import anyio
import msgspec

from agentctl.adapters.anchors.git_refs import (
    GIT_NAMESPACE,
    NoRepositoryError,
    read_anchors,
    write_note,
    write_tag,
)
from agentctl.adapters.anchors.web import WebError, get_lines, is_url, post_line, shown_url
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.approval.decision import decision_bytes, statement_of
from agentctl.domain.approval.records import GATE_NAMESPACE, DecisionArtifact
from agentctl.domain.audit.anchor import (
    ANCHOR,
    ANCHOR_NAMESPACE,
    Anchor,
    AnchorStatement,
    Witness,
    anchor_bytes,
    decode_anchors,
    encode_anchor,
    witness_of,
)
from agentctl.domain.audit.chain import AuditVerification, verify_chain
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.principals import Registry, Verify
from agentctl.domain.storage.chain import ChainHead
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.approval_records import read_records
from agentctl.engine.auditlog import read_export
from agentctl.engine.cluster import Cluster
from agentctl.engine.origins import past_of, pasts, proof_of, proved
from agentctl.engine.principals import Signer
from agentctl.engine.world import stamp_now

GIT: Final = "git"
"""Names the repository of the folder, among files and URLs."""
FILE_BYTES_MAX: Final = 4 * 1024 * 1024

_Found = tuple[str, Anchor]
"""Where an anchor was found, and the anchor."""


class Anchored(msgspec.Struct, frozen=True, kw_only=True):
    """An anchor that was written."""

    where: str
    anchor: Anchor

    @property
    def length(self) -> int:
        """How many records it proves."""
        return self.anchor.anchor.audit.length


async def anchor_chain(
    cluster: Cluster, caller: Caller, place: str, *, signer: Signer | None
) -> Anchored | Diagnostic:
    """Writes what the chain is now to *place*, signed where there is a *signer*.

    Args:
        cluster: the opened cluster.
        caller: who anchors it.
        place: ``git-tag``, ``git-note``, a file, or a URL.
        signer: the caller's key.

    Raises:
        BackendError: the storage failed.
    """
    anchor = await _make(cluster, caller, signer)
    line = encode_anchor(anchor)
    folder = cluster.folder.path
    try:
        match place:
            case "git-tag":
                where = await anyio.to_thread.run_sync(_tag, cluster, anchor, line, signer)
            case "git-note":
                where = await anyio.to_thread.run_sync(write_note, folder, line)
            case _ if is_url(place):
                await post_line(place, line)
                where = shown_url(place)
            case _:
                await anyio.to_thread.run_sync(append_line, Path(place), line)
                where = place
    except (NoRepositoryError, WebError, OSError) as failure:
        return error(
            "audit_anchor_not_written",
            shown_url(place) if is_url(place) else place,
            f"the anchor could not be written: {failure}",
            remedy="Name another place: --git-tag, --git-note, --file or --url.",
        )
    return Anchored(where=where, anchor=anchor)


async def verify_audit(
    cluster: Cluster, *, file: str | None = None, anchors: Sequence[str] = ()
) -> AuditVerification | Diagnostic:
    """Proves the audit chain, or the export *file*, by everything that knew it; or why it cannot.

    Of a restored cluster the chains of those it comes from are proved too, each by its own ledger
    and people: anchors are compared with the chain of the cluster that they are of.

    Args:
        cluster: the opened cluster.
        file: an export, or a copy of a chain's folder.
        anchors: where anchors are: ``git``, files, URLs.

    Raises:
        OSError: the export cannot be read.
        LedgerUnreadableError: a ledger object cannot be trusted or understood.
        BackendError: the storage failed.
    """
    found = await _anchors_at(cluster.folder.path, anchors)
    if isinstance(found, Diagnostic):
        return found
    before = await pasts(cluster)
    former = {past.cluster_id for past in before}
    registry = await cluster.principals.registry()
    own = [f for f in found if f[1].anchor.cluster_id not in former]
    if file is not None:
        path = Path(file)
        past = await past_of(cluster, await read_export(path)) if before else None
        if past is not None:
            known = await _witnesses(past.store, past.registry, found, cluster.verify)
            return await past.audit.verify_export(path, witnesses=known)
        known = await _witnesses(cluster.store, registry, own, cluster.verify)
        return await cluster.audit.verify_export(path, witnesses=known)
    known = await _witnesses(cluster.store, registry, own, cluster.verify)
    verified = await cluster.audit.verify(witnesses=known)
    for past in before:
        theirs = [f for f in found if f[1].anchor.cluster_id == past.cluster_id]
        known = await _witnesses(past.store, past.registry, theirs, cluster.verify)
        older = await proved(past, known)
        verified = msgspec.structs.replace(
            verified,
            ok=verified.ok and older.ok,
            origins=(*verified.origins, proof_of(past, older)),
            diagnostics=(*verified.diagnostics, *older.diagnostics),
        )
    return verified


async def verify_alone(
    file: Path, anchors: Sequence[str], *, folder: Path, verify: Verify
) -> AuditVerification | Diagnostic:
    """Proves an export by anchors alone, where there is no cluster; or why it cannot.

    Nobody here knows whose key signed an anchor, so each is told by its key; anchors of two clusters
    cannot both be of this chain, and the ones that are not of the first's prove nothing.

    Args:
        file: the export, or a copy of the chain's folder.
        anchors: where anchors are: ``git`` of *folder*, files, URLs.
        folder: where this was asked.
        verify: proves a signature.

    Raises:
        OSError: the export cannot be read.
    """
    found = await _anchors_at(folder, anchors)
    if isinstance(found, Diagnostic):
        return found
    cluster_id = found[0][1].anchor.cluster_id if found else ""
    known = [
        witness_of(a, where, cluster_id=cluster_id, owner_of=lambda key: key, verify=verify)
        for where, a in found
    ]
    return verify_chain(await read_export(file), witnesses=known, whole=False)


async def _witnesses(
    store: ObjectStore, registry: Registry, anchors: Sequence[_Found], verify: Verify
) -> list[Witness]:
    """Returns what the decisions of a root and the *anchors* are worth to its cluster."""
    decided = await _decisions(store, registry, verify)
    return [*decided, *(_witness(anchor, where, registry, verify) for where, anchor in anchors)]


async def _anchors_at(folder: Path, places: Sequence[str]) -> list[_Found] | Diagnostic:
    """Returns the anchors at *places*: ``git``, files, URLs; or why one could not be read."""
    found: list[_Found] = []
    for place in places:
        try:
            texts = await _read(folder, place)
        except (NoRepositoryError, WebError, OSError) as failure:
            return _unreadable(place, str(failure))
        anchors = [(where, a) for where, data in texts for a in decode_anchors(data)[0]]
        if not anchors:
            return _unreadable(place, "there is no anchor")
        found.extend(anchors)
    return found


async def _decisions(store: ObjectStore, registry: Registry, verify: Verify) -> list[Witness]:
    """Returns what each human decision, whose signature holds, says that the chain was."""
    records = await read_records(store, ())
    return [
        Witness(
            where=f"approval:{artifact.approval_id}",
            kind="decision",
            audit=ChainHead(length=artifact.seen.audit_length, head=artifact.seen.audit_head),
            at=artifact.decided_at,
            signed_by=artifact.approver,
        )
        for artifact in records.artifacts
        if _is_signed(artifact, registry, verify)
    ]


async def _make(cluster: Cluster, caller: Caller, signer: Signer | None) -> Anchor:
    registry = await cluster.principals.registry()
    head = await cluster.ledger.head()
    statement = AnchorStatement(
        statement=ANCHOR,
        cluster_id=registry.cluster_id,
        audit=await cluster.audit.head(),
        ledger_seq=head.seq if head is not None else None,
        ledger_digest=head.object_digest if head is not None else None,
        principals=registry.head,
        at=stamp_now(cluster.world),
        by=caller.id,
    )
    if signer is None:
        return Anchor(anchor=statement)
    key, signature = signer.sign(anchor_bytes(statement), ANCHOR_NAMESPACE)
    return Anchor(anchor=statement, key=key, signature=signature)


def _tag(cluster: Cluster, anchor: Anchor, line: bytes, signer: Signer | None) -> str:
    name = f"{anchor.anchor.cluster_id[:16]}-{anchor.anchor.audit.length:020d}"
    return write_tag(
        cluster.folder.path,
        name,
        line,
        seconds=int(cluster.world.now().timestamp()),
        sign=(lambda payload: signer.sign(payload, GIT_NAMESPACE)[1]) if signer else None,
    )


def append_line(path: Path, line: bytes) -> None:
    """Writes a line at the end of a file; one that was broken off there is left as a line of its own."""
    with path.open("ab+") as file:
        file.seek(-1 if file.tell() else 0, os.SEEK_END)
        torn = file.read(1) not in {b"", b"\n"}
        file.write((b"\n" if torn else b"") + line + b"\n")


async def _read(folder: Path, place: str) -> tuple[tuple[str, bytes], ...]:
    if place == GIT:
        return await anyio.to_thread.run_sync(read_anchors, folder)
    if is_url(place):
        return ((shown_url(place), await get_lines(place)),)
    async with await anyio.open_file(place, "rb") as file:
        return ((place, await file.read(FILE_BYTES_MAX)),)


def _witness(anchor: Anchor, where: str, registry: Registry, verify: Verify) -> Witness:
    return witness_of(
        anchor,
        where,
        cluster_id=registry.cluster_id,
        owner_of=lambda key: _owner(key, registry),
        verify=verify,
    )


def _owner(key: str, registry: Registry) -> str | None:
    living = (p.id for p in registry.principals.values() if p.key == key)
    return next(living, None) or registry.former_keys.get(key)


def _is_signed(artifact: DecisionArtifact, registry: Registry, verify: Verify) -> bool:
    """Returns whether a key that was its approver's signed it; what else binds it is not asked here."""
    data = decision_bytes(statement_of(artifact))
    signer = verify(artifact.signature, data, GATE_NAMESPACE)
    return signer is not None and _owner(signer, registry) == artifact.approver


def _unreadable(place: str, why: str) -> Diagnostic:
    return error(
        "audit_anchor_unreadable",
        shown_url(place) if is_url(place) else place,
        f"no anchor could be read there: {why}",
        remedy="agentctl audit anchor --help",
    )
