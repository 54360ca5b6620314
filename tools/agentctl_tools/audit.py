"""`audit_verify`, `audit_export`: the chain of everything that was asked, allowed and denied."""

import msgspec

from agentctl.domain.audit.record import AuditRecord
from agentctl_tools.envelopes import count, done
from agentctl_tools.operation import Call, Envelope, Operation


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """They take no arguments."""


class AuditExport(msgspec.Struct, frozen=True, kw_only=True):
    """Every record, oldest first."""

    records: tuple[AuditRecord, ...]


async def _verify(call: Call) -> Envelope:
    verified = await call.cluster.audit.verify()
    told = count(verified.length, "audit record")
    if verified.ok:
        return done(f"{told}, one unbroken chain.", data=verified)
    return done(
        f"The audit chain is broken; {told} read.",
        data=verified,
        diagnostics=verified.diagnostics,
        ok=False,
    )


async def _export(call: Call) -> Envelope:
    records = tuple(await call.cluster.audit.export())
    return done(f"{count(len(records), 'record')}.", data=AuditExport(records=records))


VERIFY = Operation(
    name="audit_verify",
    operation_class="read",
    action="audit_read",
    arguments=Arguments,
    handler=_verify,
    describe="Look. Whether the audit chain is whole, and how far it is proved.",
    resource=lambda _: "cluster",
    idempotent=True,
)
EXPORT = Operation(
    name="audit_export",
    operation_class="read",
    action="audit_read",
    arguments=Arguments,
    handler=_export,
    describe="Look. Every audit record.",
    resource=lambda _: "cluster",
    result=AuditExport,
    idempotent=True,
)
