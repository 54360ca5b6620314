"""Drafts in the storage root: opened over a folder, edited, shown, discarded.

Every object is create-only, and blobs are written before the edit that names them, so that a crash
leaves a draft as it was or with the edit whole. Source: control-plane 3.7.
"""

from collections.abc import Mapping
from datetime import timedelta
from typing import Final, TypeVar

import msgspec

from agentctl.adapters.sources.directory import Folder
from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.cluster_file import parse_config
from agentctl.domain.config.drafting import (
    EDIT_COUNT_MAX,
    BrokenFold,
    DraftBase,
    DraftChanges,
    EditChange,
    EditRecord,
    FileChange,
    HomecomingRecord,
    Patch,
    Removal,
    Replacement,
    SandboxRecord,
    WholeFile,
    changed_content,
    fold,
    refused_path,
)
from agentctl.domain.config.load import LoadedCluster
from agentctl.domain.config.patches import render_patch
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.domain.config.snapshot import Wanted
from agentctl.domain.config.wanting import wanted
from agentctl.domain.sandbox.lending import lending_key
from agentctl.domain.storage.protocol import BackendError, ObjectStore
from agentctl.engine.world import World, mint_ulid, stamp_now
from agentctl.ids import is_ulid, numbered
from agentctl.instants import format_instant

LIFE_DAYS: Final = 7
ATTEMPTS_MAX: Final = 8
"""How often an edit is tried again after another editor took its number."""

HOMECOMINGS: Final = "__cluster/homecoming/"
_ROOT: Final = "sandboxes/"
_RECORD: Final = "/sandbox.json"
_T = TypeVar("_T", SandboxRecord, EditRecord, HomecomingRecord)


class Draft(msgspec.Struct, frozen=True, kw_only=True):
    """An open draft, its edits folded."""

    id: str
    owner: str
    base: DraftBase
    created_at: str
    expires_at: str
    edits: tuple[EditRecord, ...]
    files: tuple[FileChange, ...]
    """What the edits make of each file, sorted by path; also what they left as it was."""

    def file(self, path: str) -> FileChange | None:
        """Returns what the edits make of *path*, None where none touches it."""
        return next((file for file in self.files if file.path == path), None)


class EditResult(msgspec.Struct, frozen=True, kw_only=True):
    """What became of an edit."""

    diagnostics: tuple[Diagnostic, ...]
    """Why it was refused; empty where it was accepted."""
    draft: Draft | None = None
    """The draft with its new fold; None where there is no such draft."""
    edit: EditRecord | None = None
    """What was recorded; None where refused, or where the file holds that content already."""
    loaded: LoadedCluster | None = None
    """The folder under the draft after an accepted edit, with its own diagnostics."""


def edit_key(draft_id: str, number: int) -> str:
    """Returns the key of one edit."""
    return f"{_ROOT}{draft_id}/edits/{numbered(number)}.json"


def blob_key(draft_id: str, digest: str) -> str:
    """Returns the key of one content."""
    return f"{_ROOT}{draft_id}/blobs/{digest}"


class Drafts:
    """The drafts over one folder in one storage root."""

    def __init__(self, store: ObjectStore, folder: Folder, world: World) -> None:
        self._store = store
        self._folder = folder
        self._world = world

    async def open(self, owner: str, *, life_days: int = LIFE_DAYS) -> Draft:
        """Opens a draft over the folder as it is now."""
        loaded = await self._folder.load(confined=False)
        now = self._world.now()
        record = SandboxRecord(
            id=mint_ulid(self._world),
            kind="draft",
            base=DraftBase(source=loaded.source_digest),
            owner=owner,
            created_at=format_instant(now),
            expires_at=format_instant(now + timedelta(days=life_days)),
        )
        made = await self._store.create(_ROOT + record.id + _RECORD, canonical_bytes(record))
        assert made, "a ULID is minted once"
        return _draft(record, (), {})

    async def show(self, draft_id: str) -> Draft | Diagnostic:
        """Returns an open draft."""
        record = await self._record(draft_id)
        if isinstance(record, Diagnostic):
            return record
        edits: list[EditRecord] = []
        for key in await self._store.list(f"{_ROOT}{draft_id}/edits/"):
            edit = _decoded(await self._bytes(key), EditRecord)
            if edit is None:
                return _broken(draft_id, f"{key} is not what its format says")
            edits.append(edit)
        files = fold(edits)
        if isinstance(files, BrokenFold):
            return _broken(draft_id, files.message)
        return _draft(record, tuple(edits), files)

    async def list(self) -> tuple[Draft, ...]:
        """Returns the drafts that are open and are no sandboxes, oldest first."""
        drafts: list[Draft] = []
        for key in await self._store.list(_ROOT):
            draft_id = key.removeprefix(_ROOT).removesuffix(_RECORD)
            if not is_ulid(draft_id):
                continue
            draft = await self.show(draft_id)
            if isinstance(draft, Draft) and not await self._is_lent(draft_id):
                drafts.append(draft)
        return tuple(drafts)

    async def overlay(self, draft_id: str) -> Mapping[str, bytes | None] | Diagnostic:
        """Returns the contents that stand before the folder's, by path; None for removed.

        Raises:
            BackendError: A content is gone or damaged.
        """
        draft = await self.show(draft_id)
        return draft if isinstance(draft, Diagnostic) else await self._overlay(draft)

    async def blob(self, draft_id: str, digest: str) -> bytes | None:
        """Returns one content of a draft, old or new; None where it is gone or not itself."""
        return await read_blob(self._store, draft_id, digest)

    async def edit(  # noqa: PLR0913  # one name a way of changing a file
        self,
        draft_id: str,
        path: str,
        *,
        by: str,
        content: bytes | None = None,
        replace: tuple[str, str] | None = None,
        diff: str | None = None,
        remove: bool = False,
    ) -> EditResult:
        """Changes one file in a draft, in exactly one of the four ways; all of it or nothing.

        Args:
            draft_id: The draft.
            path: Relative to the folder, written plainly.
            by: The principal.
            content: The whole new file.
            replace: Text that stands exactly once, and what takes its place.
            diff: A unified diff, applied exactly.
            remove: Takes the file away.
        """
        ways: list[EditChange] = []
        ways += [WholeFile(content=content)] if content is not None else []
        ways += [Replacement(old=replace[0], new=replace[1])] if replace is not None else []
        ways += [Patch(diff=diff)] if diff is not None else []
        ways += [Removal()] if remove else []
        if len(ways) != 1:
            message = f"an edit changes a file in one way, not in {len(ways)}"
            return EditResult(diagnostics=(error("invalid_arguments", path, message),))
        seen: FileChange | None = None
        for attempt in range(ATTEMPTS_MAX):
            draft = await self.show(draft_id)
            if isinstance(draft, Diagnostic):
                return EditResult(diagnostics=(draft,))
            if attempt and draft.file(path) != seen:
                return EditResult(diagnostics=(_overtaken(path),), draft=draft)
            seen = draft.file(path)
            result = await self._try(draft, path, ways[0], by=by)
            if result is not None:
                return result
        return EditResult(diagnostics=(_overtaken(path),))

    async def changes(self, draft_id: str) -> DraftChanges | Diagnostic:
        """Returns what of a draft comes home: what differs, and what it may hold at the end."""
        draft = await self.show(draft_id)
        if isinstance(draft, Diagnostic):
            return draft
        overlay = await self._overlay(draft)
        names = await self._names(overlay)
        files = tuple(
            file
            for file in draft.files
            if file.old != file.new
            and (file.new is None or file.path == CLUSTER_FILE or names.names(file.path))
        )
        return DraftChanges(draft=draft.id, files=files)

    async def check_base(self, draft: Draft) -> Diagnostic | None:
        """Returns `draft_base_moved` where the folder is neither the draft's base nor its result."""
        folder = await self._folder.load(confined=False)
        if folder.source_digest == draft.base.source:
            return None
        overlay = await self._overlay(draft)
        result = await self._folder.load(overlay=overlay, confined=False)
        if overlay and result.source_digest == folder.source_digest:
            return None
        return error(
            "draft_base_moved",
            f"draft:{draft.id}",
            "the folder has changed since the draft was opened",
            detail=f"The draft stands on the source {draft.base.source}; the folder is"
            f" {folder.source_digest} now. Applying it would undo the other change unseen.",
            remedy="Open a new draft, and make the edits there.",
        )

    async def diff(self, draft_id: str) -> str | Diagnostic:
        """Returns what a draft changes, as one unified diff."""
        draft = await self.show(draft_id)
        if isinstance(draft, Diagnostic):
            return draft
        parts: list[str] = []
        for file in draft.files:
            if file.old == file.new:
                continue
            old, new = [await self._text(draft.id, digest) for digest in (file.old, file.new)]
            parts.append(render_patch(file.path, old, new))
        return "".join(parts)

    async def discard(self, draft_id: str) -> Diagnostic | None:
        """Removes a draft; returns why not, where it is not there."""
        record = await self._record(draft_id)
        if isinstance(record, Diagnostic):
            return record
        if await self._is_lent(draft_id):
            said = f"the draft {draft_id} is a sandbox now, with graphs"
            remedy = f"agentctl sandbox close {draft_id}"
            return error("sandbox_exists", f"draft:{draft_id}", said, remedy=remedy)
        travelling = await self.on_its_way_home(draft_id)
        if travelling is not None:
            return travelling
        await self._store.delete(_ROOT + draft_id + _RECORD)
        for key in await self._store.list(f"{_ROOT}{draft_id}/"):
            await self._store.delete(key)
        return None

    async def on_its_way_home(self, draft_id: str) -> Diagnostic | None:
        """Returns why a draft's contents have to stay: its files are being written to the folder."""
        for key in await self._store.list(HOMECOMINGS):
            journey = _decoded(await self._bytes(key), HomecomingRecord)
            if journey is not None and journey.draft == draft_id:
                message = f"the draft {draft_id} is on its way home"
                remedy = "Finish it: agentctl apply. Then end the draft."
                return error("homecoming_conflict", f"draft:{draft_id}", message, remedy=remedy)
        return None

    async def _try(
        self, draft: Draft, path: str, change: EditChange, *, by: str
    ) -> EditResult | None:
        """Returns what became of one attempt; None where another editor took the number."""
        overlay = await self._overlay(draft)
        refusal = await self._refusal(overlay, path, change)
        if refusal is None and len(draft.edits) >= EDIT_COUNT_MAX:
            message = f"the draft has {EDIT_COUNT_MAX} edits, which is the limit"
            refusal = error("invalid_arguments", path, message, remedy="Open a new draft.")
        if refusal is not None:
            return EditResult(diagnostics=(refusal,), draft=draft)
        try:
            current = overlay[path] if path in overlay else await self._folder.read(path)
        except OSError as fault:
            refusal = error("draft_edit_conflict", path, str(fault))
            return EditResult(diagnostics=(refusal,), draft=draft)
        new = changed_content(change, current, path=path)
        if isinstance(new, Diagnostic):
            return EditResult(diagnostics=(new,), draft=draft)
        edit = None
        if new != current:
            edit = EditRecord(
                n=len(draft.edits) + 1,
                path=path,
                content=await self._keep(draft.id, new),
                before=await self._keep(draft.id, current),
                by=by,
                at=stamp_now(self._world),
            )
            if not await self._store.create(edit_key(draft.id, edit.n), canonical_bytes(edit)):
                return None
        after = await self.show(draft.id)
        if isinstance(after, Diagnostic):
            return EditResult(diagnostics=(after,))
        loaded = await self._folder.load(overlay={**overlay, path: new}, confined=True)
        return EditResult(diagnostics=(), draft=after, edit=edit, loaded=loaded)

    async def _refusal(
        self, overlay: Mapping[str, bytes | None], path: str, change: EditChange
    ) -> Diagnostic | None:
        names = await self._names(overlay)
        if isinstance(change, Removal):
            # What the folder still names may be removed after the draft stopped naming it.
            base = await self._names({})
            names = Wanted(
                files=names.files + base.files, directories=names.directories + base.directories
            )
        refusal = refused_path(path, names)
        if refusal is None and await self._folder.verdict(path) != "inside":
            message = f"`{path}` leads out of the cluster folder's config"
            refusal = error("path_outside_folder", path, message, remedy="Name another file.")
        return refusal

    async def _names(self, overlay: Mapping[str, bytes | None]) -> Wanted:
        """Returns what cluster.yaml under *overlay* names; nothing where it cannot be read."""
        if CLUSTER_FILE in overlay:
            return wanted(parse_config(overlay[CLUSTER_FILE] or b""))
        return wanted(await self._folder.header(confined=True))

    async def _is_lent(self, draft_id: str) -> bool:
        """Returns whether a draft has graphs, and so is a sandbox."""
        return await self._store.read(lending_key(draft_id)) is not None

    async def _record(self, draft_id: str) -> SandboxRecord | Diagnostic:
        missing = error(
            "draft_not_found",
            f"draft:{draft_id}",
            f"there is no open draft {draft_id}",
            remedy="agentctl draft list",
        )
        if not is_ulid(draft_id):
            return missing
        data = await self._bytes(_ROOT + draft_id + _RECORD)
        if data is None:
            return missing
        record = _decoded(data, SandboxRecord)
        if record is None or record.id != draft_id:
            return _broken(draft_id, "its record is not what its format says")
        if stamp_now(self._world) < record.expires_at:
            return record
        message = f"the draft {draft_id} expired at {record.expires_at}"
        return msgspec.structs.replace(missing, message=message, remedy="Open a new draft.")

    async def _overlay(self, draft: Draft) -> dict[str, bytes | None]:
        overlay: dict[str, bytes | None] = {}
        for file in draft.files:
            overlay[file.path] = None
            if file.new is not None:
                content = await self.blob(draft.id, file.new)
                if content is None:
                    msg = f"{blob_key(draft.id, file.new)} is gone or is not what its name says"
                    raise BackendError(msg)
                overlay[file.path] = content
        return overlay

    async def _keep(self, draft_id: str, content: bytes | None) -> str | None:
        if content is None:
            return None
        digest = sha256_hex(content)
        await self._store.create(blob_key(draft_id, digest), content)
        return digest

    async def _text(self, draft_id: str, digest: str | None) -> str | None:
        if digest is None:
            return None
        data = await self.blob(draft_id, digest)
        return None if data is None else data.decode("utf-8", "backslashreplace")

    async def _bytes(self, key: str) -> bytes | None:
        found = await self._store.read(key)
        return None if found is None else found.data


async def read_blob(store: ObjectStore, draft_id: str, digest: str) -> bytes | None:
    """Returns one content of a draft; None where it is gone, or its bytes are not its digest's."""
    found = await store.read(blob_key(draft_id, digest))
    return None if found is None or sha256_hex(found.data) != digest else found.data


def _draft(
    record: SandboxRecord, edits: tuple[EditRecord, ...], files: Mapping[str, FileChange]
) -> Draft:
    return Draft(
        id=record.id,
        owner=record.owner,
        base=record.base,
        created_at=record.created_at,
        expires_at=record.expires_at,
        edits=edits,
        files=tuple(files[path] for path in sorted(files)),
    )


def _decoded(data: bytes | None, of: type[_T]) -> _T | None:
    try:
        return None if data is None else msgspec.json.decode(data, type=of)
    except msgspec.DecodeError:
        return None


def _broken(draft_id: str, message: str) -> Diagnostic:
    return error(
        "draft_edit_conflict",
        f"draft:{draft_id}",
        f"the draft cannot be read: {message}",
        remedy=f"agentctl draft discard {draft_id}",
    )


def _overtaken(path: str) -> Diagnostic:
    message = f"another edit of `{path}` came first"
    remedy = "Read the file in the draft again, then edit what it holds."
    return error("draft_edit_conflict", path, message, remedy=remedy)
