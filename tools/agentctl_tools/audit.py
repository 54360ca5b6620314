"""`audit_verify`, `audit_export`, `audit_anchor`: the chain of everything asked, allowed and denied."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from agentctl.adapters.keys.sshsig import verify
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.audit.chain import AuditVerification, OriginProof, decode_export
from agentctl.engine.auditing import Anchored, anchor_chain, verify_alone, verify_audit
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.operation import Call, Envelope, Operation


class VerifyArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `audit_verify` takes."""

    file: Annotated[str | None, msgspec.Meta(description="An export, instead of the chain.")] = None
    anchors: Annotated[
        tuple[str, ...],
        msgspec.Meta(description="Where anchors are: `git`, files, URLs.", max_length=20),
    ] = ()


class ExportArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`audit_export` takes no arguments."""


class AnchorArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `audit_anchor` takes."""

    place: Annotated[
        str, msgspec.Meta(description="`git-tag`, `git-note`, a file or a URL.", min_length=1)
    ] = "git-tag"


class AuditExport(msgspec.Struct, frozen=True, kw_only=True):
    """Every record, oldest first, as it was written."""

    records: tuple[Mapping[str, Any], ...]
    lines: str
    """The exact bytes of each on a line of its own: what `audit verify FILE` reads."""


async def _verify(call: Call) -> Envelope:
    file: str | None = call.arguments.file
    if (file is not None or call.arguments.anchors) and not call.caller.at_terminal:
        told = "files and other places are read by the operator's own process only"
        return refused("path_outside_folder", file or "anchors", told)
    anchors: tuple[str, ...] = call.arguments.anchors
    try:
        verified = await verify_audit(call.cluster, file=file, anchors=anchors)
    except OSError as failure:
        return _no_export(file or "audit", failure)
    return _verified(verified, asked=bool(anchors))


async def verify_elsewhere(file: Path, anchors: tuple[str, ...], folder: Path) -> Envelope:
    """Proves an export in *folder*, which holds no cluster, by anchors alone."""
    try:
        verified = await verify_alone(file, anchors, folder=folder, verify=verify)
    except OSError as failure:
        return _no_export(str(file), failure)
    return _verified(verified, asked=bool(anchors))


def _no_export(file: str, failure: OSError) -> Envelope:
    told = f"the export cannot be read: {failure.strerror}"
    return refused("load_file_missing", file, told, remedy="agentctl audit export > FILE")


def _verified(verified: AuditVerification | Diagnostic, *, asked: bool) -> Envelope:
    if isinstance(verified, Diagnostic):
        return failed((verified,))
    if verified.ok:
        return done(_proved(verified, asked=asked), data=verified)
    return done(
        f"The audit chain is broken; {count(verified.length, 'audit record')} read.",
        data=verified,
        diagnostics=verified.diagnostics,
        ok=False,
    )


def _proved(verified: AuditVerification, *, asked: bool) -> str:
    """Returns what holds, and up to which record what proves it, of this cluster and former ones."""
    anchored = [o.anchored_at for o in verified.origins if o.anchored_at is not None]
    told = [_proved_of(verified, asked=asked and not anchored)]
    told += [
        f"Of the former cluster {o.cluster_id[:12]}: {_proved_of(o)}" for o in verified.origins
    ]
    return " ".join(told)


def _proved_of(verified: AuditVerification | OriginProof, *, asked: bool = False) -> str:
    told = f"{count(verified.length, 'audit record')}, one unbroken chain"
    proofs = [f"the ledger proves {verified.proved_by_ledger} of them"]
    if verified.decided_at is not None:
        at = verified.decided_at
        proofs.append(f"a human's signature of {at} proves {verified.proved_by_decision}")
    if verified.anchored_at is not None:
        at = verified.anchored_at
        proofs.append(f"an anchor of {at} proves {verified.proved_by_anchor}")
    elif asked:
        proofs.append("no anchor proves any")
    return f"{told}; {', '.join(proofs)}."


async def _export(call: Call) -> Envelope:
    exported = await call.cluster.audit.export()
    records = tuple(_record(n, line) for n, line in decode_export(exported))
    data = AuditExport(records=records, lines=exported.decode())
    return done(f"{count(len(records), 'record')}.", data=data)


async def _anchor(call: Call) -> Envelope:
    place: str = call.arguments.place
    if not call.caller.at_terminal:
        told = "an anchor is written by the operator's own process only"
        return refused("path_outside_folder", place, told)
    made = await anchor_chain(call.cluster, call.caller, place, signer=call.signer)
    if isinstance(made, Diagnostic):
        return failed((made,))
    signed = "signed" if made.anchor.signature is not None else "unsigned"
    kept = "Push it" if place.startswith("git-") else "Keep it"
    return done(
        f"{count(made.length, 'audit record')} anchored, {signed}, in {made.where}."
        f" {kept} where nobody who can write the storage root can.",
        data=made,
    )


def _record(number: int, line: bytes) -> dict[str, Any]:
    """Returns one record as plain values; one that is none is named by its number."""
    try:
        return msgspec.json.decode(line, type=dict[str, Any])
    except msgspec.DecodeError:
        return {"n": number, "unreadable": True}


VERIFY = Operation(
    name="audit_verify",
    operation_class="read",
    action="audit_read",
    arguments=VerifyArguments,
    handler=_verify,
    describe="Look. Whether the audit chain is whole, and how far it is proved.",
    resource=lambda _: "cluster",
    result=AuditVerification,
    idempotent=True,
)
EXPORT = Operation(
    name="audit_export",
    operation_class="read",
    action="audit_read",
    arguments=ExportArguments,
    handler=_export,
    describe="Look. Every audit record.",
    resource=lambda _: "cluster",
    result=AuditExport,
    idempotent=True,
)
ANCHOR = Operation(
    name="audit_anchor",
    operation_class="write",
    action="audit_anchor",
    arguments=AnchorArguments,
    handler=_anchor,
    describe="Real. Writes what the audit chain is now where it can prove it later.",
    resource=lambda _: "cluster",
    result=Anchored,
)
