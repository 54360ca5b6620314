"""`backup_create`, `backup_list`, `backup_verify`: copies of the storage root in another place."""

from pathlib import Path
from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.backup import (
    BackupList,
    BackupMade,
    BackupVerified,
    create_backup,
    list_backups,
    read_manifest,
    verify_backup,
)
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.operation import Call, Envelope, Operation

Place = Annotated[str, msgspec.Meta(description="A folder or s3:// URI.", min_length=1)]


class CreateArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `backup_create` takes."""

    place: Place


class ListArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `backup_list` takes."""

    place: Place


class VerifyArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `backup_verify` takes."""

    place: Place
    backup_id: Annotated[str | None, msgspec.Meta(description="The newest without.")] = None


async def _create(call: Call) -> Envelope:
    place = _place(call)
    if isinstance(place, Envelope):
        return place
    made = await create_backup(call.cluster, call.caller, place, call.notify)
    if isinstance(made, Diagnostic):
        return failed((made,))
    return done(
        f"Backup {made.backup_id}: {count(made.object_count, 'object')} of ledger object"
        f" {made.ledger_seq}, {count(made.copied_count or 0, 'object')} new at {made.place}.",
        data=made,
    )


async def _list(call: Call) -> Envelope:
    place = _place(call)
    if isinstance(place, Envelope):
        return place
    found = await list_backups(place)
    told = f"{count(len(found.backups), 'backup')} at {found.place}."
    return done(told, data=found, diagnostics=found.diagnostics, ok=not found.diagnostics)


async def _verify(call: Call) -> Envelope:
    place = _place(call)
    if isinstance(place, Envelope):
        return place
    wanted = call.arguments.backup_id
    if wanted is None:
        found = await list_backups(place)
        if not found.backups:
            return failed(found.diagnostics) if found.diagnostics else _none_at(found.place)
        wanted = found.backups[0].backup_id
    manifest = await read_manifest(place, wanted)
    if isinstance(manifest, Diagnostic):
        return failed((manifest,))
    cluster = call.cluster
    verified = await verify_backup(place, manifest, world=cluster.world, verify=cluster.verify)
    told = f"Backup {wanted}: {count(verified.backup.object_count, 'object')}"
    if verified.ok:
        records = count(verified.audit_length, "audit record")
        return done(f"{told}, all as they were put there; {records} in one chain.", data=verified)
    return done(f"{told}, not whole.", data=verified, diagnostics=verified.diagnostics, ok=False)


def _none_at(place: str) -> Envelope:
    remedy = "agentctl backup create --to PLACE"
    return refused("backup_not_found", place, f"there is no backup at {place}", remedy=remedy)


def _place(call: Call) -> ObjectStore | Envelope:
    """Returns the store of the place that a call names; paths are those of the operator's process."""
    if not call.caller.at_terminal:
        told = "backups are made and read by the operator's own process only"
        return refused("path_outside_folder", call.arguments.place, told)
    return call.cluster.make_store(call.arguments.place, Path.cwd())


CREATE = Operation(
    name="backup_create",
    operation_class="write",
    action="cluster_backup",
    arguments=CreateArguments,
    handler=_create,
    describe="Real. Copies the storage root, as it is at one point, to another place.",
    resource=lambda _: "cluster",
    result=BackupMade,
)
LIST = Operation(
    name="backup_list",
    operation_class="read",
    action="audit_read",
    arguments=ListArguments,
    handler=_list,
    describe="Look. The backups of a place.",
    resource=lambda _: "cluster",
    result=BackupList,
    idempotent=True,
)
VERIFY = Operation(
    name="backup_verify",
    operation_class="read",
    action="audit_read",
    arguments=VerifyArguments,
    handler=_verify,
    describe="Look. Reads all of a backup again and proves its chains.",
    resource=lambda _: "cluster",
    result=BackupVerified,
    idempotent=True,
)
