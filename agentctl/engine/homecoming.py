"""A draft's files come home to the folder: all of them or none, also when the process dies.

Write order: the contents are in the draft's blobs already; the journal
`__cluster/homecoming/<op>.json` is created; each file is written (beside, then renamed); the journal
is deleted. Whoever finds a journal (`settle`, under the cluster lease) knows from the digests alone
which files were written, and finishes; where a new content is gone, it puts the old ones back. A
file that has neither digest was changed by someone else: nothing is touched then.
Source: control-plane 3.7.
"""

from collections.abc import Iterable, Mapping
from contextlib import suppress
from typing import Literal

import msgspec

from agentctl.adapters.sources.directory import Folder
from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error, note
from agentctl.domain.config.drafting import DraftChanges, FileChange, HomecomingRecord
from agentctl.domain.storage.protocol import BackendError, ObjectStore
from agentctl.engine.drafts import HOMECOMINGS, read_blob
from agentctl.ids import path_part

Side = Literal["old", "new"]


async def bring_home(
    folder: Folder, store: ObjectStore, op: str, changes: DraftChanges
) -> tuple[Diagnostic, ...]:
    """Writes what a draft changes into the folder; returns why nothing was written, else nothing.

    The caller holds the cluster lease, has called `settle` and `Drafts.check_base`. Done twice it
    does nothing the second time.

    Raises:
        OSError: The folder could not be written; what was written is put back, or `settle` will.
        BackendError: The storage root failed; `settle` finishes or undoes.
    """
    present = {file.path: await _digest(folder, file.path) for file in changes.files}
    todo = tuple(file for file in changes.files if present[file.path] != file.new)
    moved = tuple(_moved(file.path) for file in todo if present[file.path] != file.old)
    if moved or not todo:
        return moved
    record = HomecomingRecord(
        op=op, draft=changes.draft, folder=_folder_name(folder, store), files=todo
    )
    for side in ("old", "new"):
        if await _contents(store, record, side) is None:
            message = f"a content of the draft {changes.draft} is gone"
            remedy = "Open a new draft, and make the edits there."
            return (error("draft_not_found", f"draft:{changes.draft}", message, remedy=remedy),)
    key = journal_key(op)
    try:
        made = await store.create(key, canonical_bytes(record))
    except BackendError:
        with suppress(BackendError):  # no file was written: a journal that is there now is void
            await store.delete(key)
        raise
    assert made, "an op brings its draft home once, and what an earlier run left was settled"
    try:
        moved = await _write(folder, store, record, "new")
    except OSError:
        await _write(folder, store, record, "old")
        await store.delete(key)
        raise
    if moved:
        await _write(folder, store, record, "old")
    await store.delete(key)
    return moved


async def settle(folder: Folder, store: ObjectStore) -> tuple[Diagnostic, ...]:
    """Finishes or undoes what interrupted homecomings left in this folder; the caller holds the lease.

    Returns a note for each that was settled, and `homecoming_conflict` errors where a file has
    neither digest: then nothing of that homecoming is touched, and no other command may go on.
    """
    told: list[Diagnostic] = []
    for key in await store.list(HOMECOMINGS):
        found = await store.read(key)
        if found is None:
            continue
        try:
            record = msgspec.json.decode(found.data, type=HomecomingRecord)
        except msgspec.DecodeError as fault:
            message = f"the homecoming journal cannot be read: {fault}"
            told.append(error("homecoming_conflict", key, message))
            continue
        if record.folder == _folder_name(folder, store):
            told += await _settle_one(folder, store, key, record)
    return tuple(told)


def journal_key(op: str) -> str:
    """Returns the key of the journal of an op."""
    return f"{HOMECOMINGS}{path_part(op)}.json"


async def _settle_one(
    folder: Folder, store: ObjectStore, key: str, record: HomecomingRecord
) -> tuple[Diagnostic, ...]:
    present = {file.path: await _digest(folder, file.path) for file in record.files}
    foreign = [f for f in record.files if present[f.path] not in {f.old, f.new}]
    if foreign:
        return tuple(_foreign(file, record) for file in foreign)
    ways: tuple[tuple[Side, str], ...] = (("new", "finished"), ("old", "put back"))
    for side, done in ways:
        if await _contents(store, record, side) is None:
            continue
        moved = await _write(folder, store, record, side)
        if moved:
            return tuple(_foreign(f, record) for f in record.files if f.path in _paths(moved))
        await store.delete(key)
        message = f"{len(record.files)} files of the draft {record.draft} were {done}"
        return (note("homecoming_settled", key, message),)
    message = f"the contents of the draft {record.draft} are gone"
    remedy = f"Restore the storage root's sandboxes/{record.draft}/blobs from a backup."
    return (error("homecoming_conflict", key, message, remedy=remedy),)


async def _contents(
    store: ObjectStore, record: HomecomingRecord, side: Side
) -> Mapping[str, bytes | None] | None:
    """Returns what the files hold on one side, by path; None where a blob is gone or damaged."""
    contents: dict[str, bytes | None] = {}
    for file in record.files:
        digest = file.new if side == "new" else file.old
        contents[file.path] = None
        if digest is not None:
            contents[file.path] = await read_blob(store, record.draft, digest)
            if contents[file.path] is None:
                return None
    return contents


async def _write(
    folder: Folder, store: ObjectStore, record: HomecomingRecord, side: Side
) -> tuple[Diagnostic, ...]:
    """Puts every file on one side, looking at each just before; returns those that others changed."""
    contents = await _contents(store, record, side)
    assert contents is not None, "the caller has looked"
    moved: list[Diagnostic] = []
    for file in record.files:
        await folder.tidy(file.path)
        present = await _digest(folder, file.path)
        wanted = file.new if side == "new" else file.old
        if present == wanted:
            continue
        if present not in {file.old, file.new}:
            moved.append(_moved(file.path))
            if side == "new":
                break
            continue
        await folder.write_all({file.path: contents[file.path]})
    return tuple(moved)


async def _digest(folder: Folder, path: str) -> str | None:
    """Returns the digest of a file, None where there is none, no digest where it cannot be read."""
    try:
        data = await folder.read(path)
    except OSError as fault:
        return f"unreadable: {fault}"
    return None if data is None else sha256_hex(data)


def _folder_name(folder: Folder, store: ObjectStore) -> str | None:
    """Returns None where the storage root is the folder, so that it may be moved as a whole."""
    path = folder.resolved
    return None if store.uri == path.as_uri() else str(path)


def _moved(path: str) -> Diagnostic:
    return error(
        "draft_base_moved",
        path,
        f"`{path}` has changed in the folder since the draft was edited",
        remedy="Open a new draft, and make the edits there.",
    )


def _paths(diagnostics: Iterable[Diagnostic]) -> frozenset[str]:
    return frozenset(d.path for d in diagnostics)


def _foreign(file: FileChange, record: HomecomingRecord) -> Diagnostic:
    old, new = file.old or "no file", file.new or "no file"
    return error(
        "homecoming_conflict",
        file.path,
        f"`{file.path}` is neither as it was nor as the draft {record.draft} has it",
        detail=f"A command was interrupted while it wrote the draft's files (op {record.op})."
        f" The file was {old} and was to become {new}.",
        remedy=f"Put one of them back (`agentctl draft diff {record.draft}` shows both), then run"
        " the command again.",
    )
