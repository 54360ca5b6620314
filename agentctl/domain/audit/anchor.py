"""Anchors: what the audit chain was at some time, written down where the chain's holder cannot reach.

The chain is unkeyed. An anchor that is held elsewhere proves every record up to its length; a
signed one also says whose word it is. Human decisions are anchors too: each signs the head and the
length that its decider saw. Source: trust.md, control-plane 3.2.
"""

from collections.abc import Callable
from typing import Final, Literal

import msgspec

from agentctl.canonical import NotCanonicalError, canonical_bytes, decode_canonical
from agentctl.domain.storage.chain import ChainHead

ANCHOR: Final = "agentctl/anchor/v1"
ANCHOR_NAMESPACE: Final = "agentctl-anchor-v1"
"""SSHSIG namespace of an anchor's signature."""

Verify = Callable[[str, bytes, str], str | None]
"""Takes an armoured signature, the message and the namespace; returns the signing key's text, or
None where the signature does not hold."""
OwnerOf = Callable[[str], str | None]
"""Takes a public key's text; returns the principal of the cluster who has it or had it."""


WitnessKind = Literal["anchor", "decision"]


class AnchorStatement(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is anchored, and signed where somebody signs."""

    statement: Literal["agentctl/anchor/v1"]
    cluster_id: str
    audit: ChainHead
    ledger_seq: int | None
    """Of the newest ledger object then; null where there was none."""
    ledger_digest: str | None
    """``sha256:`` of that object's exact bytes."""
    principals: ChainHead
    at: str
    by: str
    """Id of the principal who wrote it."""


class Anchor(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One anchor as it lies in a tag, a note, a file or behind a URL: canonical JSON on one line."""

    anchor: AnchorStatement
    key: str | None = None
    """The signing public key, OpenSSH form; null where nobody signed."""
    signature: str | None = None
    """SSHSIG, armoured, over the canonical bytes of `anchor`."""


class Witness(msgspec.Struct, frozen=True, kw_only=True):
    """Something that knew the chain, as a verification compares it."""

    where: str
    """A file, a URL, a tag, or ``approval:<id>``."""
    kind: WitnessKind
    audit: ChainHead
    at: str
    signed_by: str | None = None
    """The enrolled principal whose signature holds; null where nobody signed, or no enrolled one."""
    fault: str | None = None
    """Why it proves nothing: another cluster's, or a signature that does not hold."""


def anchor_bytes(statement: AnchorStatement) -> bytes:
    """Returns the exact bytes that are signed."""
    return canonical_bytes(statement)


def encode_anchor(anchor: Anchor) -> bytes:
    """Returns an anchor as one line, without its end."""
    return canonical_bytes(anchor)


def decode_anchors(data: bytes) -> tuple[tuple[Anchor, ...], int]:
    """Returns the anchors among the lines of *data*, and how many other lines there are.

    Lines that are no anchor are no mistake: a tag's message and a log file have words around them.
    """
    found: list[Anchor] = []
    others = 0
    for line in data.splitlines():
        if not line.strip():
            continue
        try:
            found.append(msgspec.convert(decode_canonical(line.strip()), Anchor))
        except (NotCanonicalError, msgspec.ValidationError):
            others += 1
    return tuple(found), others


def witness_of(
    anchor: Anchor, where: str, *, cluster_id: str, owner_of: OwnerOf, verify: Verify
) -> Witness:
    """Returns what *anchor* is worth to the cluster of that id.

    A revoked key's anchor counts: it says what was, and the chain that it names cannot be made
    afterwards. An anchor that claims a signature which does not hold is a fault, not an unsigned one.
    """
    statement = anchor.anchor
    signed_by = None
    fault = None
    if statement.cluster_id != cluster_id:
        fault = "it is of another cluster"
    elif anchor.signature is not None or anchor.key is not None:
        signer = verify(anchor.signature or "", anchor_bytes(statement), ANCHOR_NAMESPACE)
        signed_by = owner_of(signer) if signer is not None else None
        if signer is None or signer != anchor.key:
            fault = "its signature does not hold"
        elif signed_by is None:
            fault = "it is signed by a key that nobody of this cluster has or had"
    return Witness(
        where=where,
        kind="anchor",
        audit=statement.audit,
        at=statement.at,
        signed_by=signed_by if fault is None else None,
        fault=fault,
    )
