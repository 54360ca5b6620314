"""The audit chain: its bytes, its links, and how far something outside it proves it.

The chain is unkeyed, so by itself it finds accidents only. What was written elsewhere about it, a
length and a head, proves it up to that record: every ledger object holds one, every human decision
signs one. Source: control-plane 3.2, trust.md.
"""

from collections.abc import Iterable
from typing import Final

import msgspec

from agentctl.canonical import NotCanonicalError, canonical_bytes, decode_canonical, sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.audit.anchor import Witness, WitnessKind
from agentctl.domain.audit.record import AuditRecord
from agentctl.domain.storage.chain import ChainHead
from agentctl.domain.storage.keys import numbered_key

AUDIT_FOLDER: Final = "__cluster/audit"
EMPTY: Final = ChainHead(length=0, head=None)


class OriginProof(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk over the chain of a former cluster found, which a restore has kept."""

    cluster_id: str
    ok: bool
    length: int
    proved_by_ledger: int
    proved_by_anchor: int
    anchored_at: str | None = None
    proved_by_decision: int = 0
    decided_at: str | None = None


class AuditVerification(msgspec.Struct, frozen=True, kw_only=True):
    """What a walk over a whole chain found."""

    ok: bool
    length: int
    """Records that hold together, from the first."""
    head: str | None
    """``sha256:`` of the last of them."""
    proved_by_ledger: int
    """Up to which record a ledger object proves them; 0 where none does."""
    ledger_seq: int | None
    """Of that object."""
    proved_by_anchor: int
    """Up to which record an anchor kept elsewhere proves them; 0 where none was given."""
    anchored_at: str | None = None
    """When the anchor of that length was made."""
    proved_by_decision: int = 0
    """Up to which record a human's signed decision proves them."""
    decided_at: str | None = None
    """When that decision was signed."""
    witnesses: tuple[Witness, ...] = ()
    """Every anchor that was given, in order, whatever it proves."""
    origins: tuple[OriginProof, ...] = ()
    """The chains of the clusters that this one was restored from, each by itself."""
    diagnostics: tuple[Diagnostic, ...] = ()


class LedgerProof(msgspec.Struct, frozen=True, kw_only=True):
    """What a ledger object says of the chain."""

    seq: int
    audit: ChainHead


def encode_record(record: AuditRecord) -> bytes:
    """Returns the canonical bytes of a record."""
    return canonical_bytes(record)


def digest_of_record(data: bytes) -> str:
    """Returns what the next record's `previous` holds: ``sha256:`` of the exact bytes."""
    return f"sha256:{sha256_hex(data)}"


def decode_record(data: bytes) -> AuditRecord:
    """Returns the record whose canonical bytes are *data*.

    Raises:
        NotCanonicalError: *data* is not canonical, or no audit record.
    """
    try:
        return msgspec.convert(decode_canonical(data), AuditRecord)
    except msgspec.ValidationError as failure:
        msg = f"not an audit record: {failure}"
        raise NotCanonicalError(msg) from failure


def verify_chain(
    records: Iterable[tuple[int, bytes]],
    *,
    ledger: Iterable[LedgerProof] = (),
    witnesses: Iterable[Witness] = (),
    whole: bool = True,
) -> AuditVerification:
    """Returns whether *records*, numbers with exact bytes, are an unbroken chain from 1.

    *ledger* and *witnesses* say what the chain was at some time; each must agree, but for a witness
    with a fault, which proves nothing and is told. One that is longer than the chain means that
    records are missing, unless the chain is a copy that may be older (*whole* is false).
    """
    digests, faults = _walk(records)
    length = len(digests)
    proved, seq = 0, None
    for proof in ledger:
        fault, holds = _compare(digests, proof.audit, f"ledger object {proof.seq}", whole=whole)
        faults.extend(fault)
        if holds and proof.audit.length >= proved:
            proved, seq = proof.audit.length, proof.seq
    proofs: dict[WitnessKind, Witness] = {}
    told = tuple(witnesses)
    for witness in told:
        if witness.fault is not None:
            faults.append(_no_anchor(witness))
            continue
        fault, holds = _compare(digests, witness.audit, witness.where, whole=whole)
        faults.extend(fault)
        best = proofs.get(witness.kind)
        if holds and (best is None or witness.audit.length > best.audit.length):
            proofs[witness.kind] = witness
    anchor, decision = proofs.get("anchor"), proofs.get("decision")
    return AuditVerification(
        ok=not faults,
        length=length,
        head=digests[-1] if digests else None,
        proved_by_ledger=proved,
        ledger_seq=seq,
        proved_by_anchor=anchor.audit.length if anchor is not None else 0,
        anchored_at=anchor.at if anchor is not None else None,
        proved_by_decision=decision.audit.length if decision is not None else 0,
        decided_at=decision.at if decision is not None else None,
        witnesses=tuple(w for w in told if w.kind == "anchor"),
        diagnostics=tuple(dict.fromkeys(faults)),
    )


def encode_export(records: Iterable[tuple[int, bytes]]) -> bytes:
    """Returns a chain as JSON lines: each record's exact bytes, in order."""
    return b"".join(data + b"\n" for _, data in records)


def decode_export(data: bytes) -> tuple[tuple[int, bytes], ...]:
    """Returns the records of an export, numbered by their lines."""
    return tuple(enumerate(data.removesuffix(b"\n").split(b"\n"), start=1)) if data else ()


def _walk(records: Iterable[tuple[int, bytes]]) -> tuple[list[str], list[Diagnostic]]:
    """Returns the digests of the records that hold together, and the first fault."""
    digests: list[str] = []
    for number, data in records:
        why = _fault(number, data, digests)
        if why is not None:
            return digests, [_broken(number, why)]
        digests.append(digest_of_record(data))
    return digests, []


def _fault(number: int, data: bytes, digests: list[str]) -> str | None:
    expected = len(digests) + 1
    if number != expected:
        return f"record {expected} is missing"
    try:
        record = decode_record(data)
    except NotCanonicalError as failure:
        return str(failure)
    if record.n != number:
        return f"it says that it is record {record.n}"
    if record.previous != (digests[-1] if digests else None):
        return "the record before it is not the one that it names"
    return None


def _compare(
    digests: list[str], claim: ChainHead, who: str, *, whole: bool
) -> tuple[list[Diagnostic], bool]:
    """Returns what is wrong with *claim*, and whether it proves the records up to its length."""
    if claim.length > len(digests):
        if not whole:
            return [], False
        why = f"{who} knows of {claim.length} records and {len(digests)} hold together"
        return [_broken(len(digests) + 1, why)], False
    actual = digests[claim.length - 1] if claim.length else None
    if actual != claim.head:
        return [_broken(claim.length, f"{who} knows another record of that number")], False
    return [], claim.length > 0


def _no_anchor(witness: Witness) -> Diagnostic:
    return error(
        "invalid_audit_anchor",
        witness.where,
        f"what is there proves nothing: {witness.fault}",
        remedy="Ask whoever keeps it where it came from; leave it out to verify without it.",
    )


def _broken(number: int, why: str) -> Diagnostic:
    return error(
        "audit_chain_broken",
        numbered_key(AUDIT_FOLDER, number),
        f"audit record {number} is missing or altered: {why}",
        remedy="Compare with an export or an anchor that was kept elsewhere.",
    )
