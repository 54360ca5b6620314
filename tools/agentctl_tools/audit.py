"""`audit_verify`, `audit_export`: the chain of everything that was asked, allowed and denied."""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any

import msgspec

from agentctl.domain.audit.chain import AuditVerification, decode_export
from agentctl_tools.envelopes import count, done, refused
from agentctl_tools.operation import Call, Envelope, Operation


class VerifyArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `audit_verify` takes."""

    file: Annotated[str | None, msgspec.Meta(description="An export, instead of the chain.")] = None


class ExportArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`audit_export` takes no arguments."""


class AuditExport(msgspec.Struct, frozen=True, kw_only=True):
    """Every record, oldest first, as it was written."""

    records: tuple[Mapping[str, Any], ...]
    lines: str
    """The exact bytes of each on a line of its own: what `audit verify FILE` reads."""


async def _verify(call: Call) -> Envelope:
    file: str | None = call.arguments.file
    if file is not None and not call.caller.at_terminal:
        told = "files are read by the operator's own process only"
        return refused("path_outside_folder", file, told)
    if file is None:
        verified = await call.cluster.audit.verify()
    else:
        try:
            verified = await call.cluster.audit.verify_export(Path(file))
        except OSError as failure:
            told = f"the export cannot be read: {failure.strerror}"
            return refused("load_file_missing", file, told, remedy="agentctl audit export > FILE")
    told = count(verified.length, "audit record")
    if verified.ok:
        proved = f"the ledger proves {verified.proved_by_ledger} of them"
        return done(f"{told}, one unbroken chain; {proved}.", data=verified)
    return done(
        f"The audit chain is broken; {told} read.",
        data=verified,
        diagnostics=verified.diagnostics,
        ok=False,
    )


async def _export(call: Call) -> Envelope:
    exported = await call.cluster.audit.export()
    records = tuple(_record(n, line) for n, line in decode_export(exported))
    data = AuditExport(records=records, lines=exported.decode())
    return done(f"{count(len(records), 'record')}.", data=data)


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
