"""`state list`, `show` and `diff`: looks at what the ledger has recorded. Writes nothing."""

import msgspec

from agentctl.adapters.backends.drive import drive
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ledger.codec import LEDGER_FOLDER, decode_envelope, ledger_key
from agentctl.domain.ledger.differences import StateDiff, diff_envelopes
from agentctl.domain.ledger.retention import REVISIONS_KEPT
from agentctl.domain.ledger.summaries import Listed, RevisionShown, RevisionSummary, summary_of
from agentctl.domain.policy.caller import Caller
from agentctl.domain.storage.numbered import numbers_in, read_one
from agentctl.engine.cluster import Cluster
from agentctl.engine.ledger import Head, LedgerUnreadableError


async def list_revisions(
    cluster: Cluster,
    caller: Caller,  # noqa: ARG001  # one shape for all commands
    *,
    limit: int,
    before: int | None = None,
) -> Listed:
    """Returns the newest *limit* objects below *before*; one that cannot be read says so in its line."""
    numbers = await drive(cluster.store, numbers_in(LEDGER_FOLDER))
    shown = [n for n in numbers if before is None or n < before][-limit:]
    found: list[RevisionSummary] = []
    for seq in reversed(shown):
        data = await drive(cluster.store, read_one(LEDGER_FOLDER, seq))
        if data is None:
            continue  # Collected while we looked.
        decoded = decode_envelope(data, seq=seq)
        if decoded.envelope is None:
            why = decoded.diagnostics[0].message
            found.append(RevisionSummary(seq=seq, bytes=len(data), trouble=why))
        else:
            found.append(summary_of(decoded.envelope, size_bytes=len(data)))
    newest = numbers[-1] if numbers else 0
    stay = range(max(newest - REVISIONS_KEPT, 0) + 1, newest)
    return Listed(
        revisions=tuple(found),
        total=len(numbers),
        oldest=numbers[0] if numbers else None,
        missing=tuple(sorted({*stay} - {*numbers})),
    )


async def show_revision(
    cluster: Cluster,
    caller: Caller,  # noqa: ARG001
    seq: int | None,
) -> RevisionShown | Diagnostic:
    """Returns object *seq*, the newest where it is None."""
    head = await _named(cluster, seq)
    if isinstance(head, Diagnostic):
        return head
    envelope = head.envelope
    data = await drive(cluster.store, read_one(LEDGER_FOLDER, head.seq))
    state: dict[str, object] = msgspec.json.decode(head.state_text)
    return RevisionShown(
        summary=summary_of(envelope, size_bytes=len(data or b"")),
        object_digest=head.object_digest,
        previous=envelope.previous,
        state_cas=head.state_cas,
        protected=envelope.protected,
        freezes=envelope.freezes,
        min_reader=envelope.min_reader,
        min_writer=envelope.min_writer,
        state=state,
    )


async def diff_revisions(
    cluster: Cluster,
    caller: Caller,  # noqa: ARG001
    a: int,
    b: int | None,
) -> StateDiff | Diagnostic:
    """Returns how object *b*, the newest where it is None, differs from object *a*."""
    first, second = await _named(cluster, a), await _named(cluster, b)
    for one in (first, second):
        if isinstance(one, Diagnostic):
            return one
    assert isinstance(first, Head)
    assert isinstance(second, Head)
    return diff_envelopes(first.envelope, second.envelope)


async def _named(cluster: Cluster, seq: int | None) -> Head | Diagnostic:
    try:
        head = await (cluster.ledger.head() if seq is None else cluster.ledger.at(seq))
    except LedgerUnreadableError as unreadable:
        return unreadable.diagnostic
    if head is not None:
        return head
    if seq is None:
        missing = "the cluster has no ledger yet"
        return error("state_missing", "cluster", missing, remedy="agentctl import")
    return error(
        "revision_not_found",
        ledger_key(seq),
        f"the ledger has no object {seq}: it was never written, or was collected",
        remedy="agentctl state list",
    )
