"""Drafts as values: their records, the fold of their edits, and which paths they may hold.

Source: control-plane 3.7. The files are `sandboxes/<id>/sandbox.json`, `edits/<20-digit n>.json`
and `blobs/<sha256>`, all create-only.
"""

from collections.abc import Iterable, Mapping
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.patches import PatchFault, apply_patch
from agentctl.domain.config.paths import (
    CLUSTER_FILE,
    is_environment_file,
    is_state_path,
    leaves_folder,
    normal_path,
    path_fault,
)
from agentctl.domain.config.snapshot import Wanted

CONTENT_BYTES_MAX: Final = 1024 * 1024
EDIT_COUNT_MAX: Final = 1000


class DraftBase(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a draft was opened over."""

    source: str
    """The digest of the folder then."""
    commit: str | None = None


class SandboxRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``sandbox.json``."""

    version: Literal[1] = 1
    id: str
    kind: Literal["draft", "sandbox"]
    base: DraftBase
    owner: str
    created_at: str
    expires_at: str


class EditRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``edits/<n>.json``."""

    version: Literal[1] = 1
    n: int
    path: str
    content: str | None
    """The SHA-256 of the file's new bytes; None where it is removed."""
    before: str | None
    """The SHA-256 of what the edit stands on; None where there was no file."""
    by: str
    at: str


class FileChange(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft makes of one file of the folder."""

    path: str
    old: str | None
    """SHA-256 of the folder's content when the file was first edited; None for no file."""
    new: str | None
    """SHA-256 of the draft's content; None for removed."""


class DraftChanges(msgspec.Struct, frozen=True, kw_only=True):
    """What comes home of a draft: the files that it changes and may hold, sorted by path."""

    draft: str
    files: tuple[FileChange, ...]


class HomecomingRecord(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``__cluster/homecoming/<op>.json``: the files of a draft that are being written home."""

    version: Literal[1] = 1
    op: str
    draft: str
    """Whose blobs hold the old and the new contents."""
    folder: str | None
    """The folder, where it is not the storage root itself; other folders leave the record alone."""
    files: tuple[FileChange, ...]


class BrokenFold(msgspec.Struct, frozen=True, kw_only=True):
    """The edits do not fit each other."""

    message: str


def fold(edits: Iterable[EditRecord]) -> Mapping[str, FileChange] | BrokenFold:
    """Returns what the edits make of each file, by path.

    An edit stands on what the edits before it made; the first of a path on the folder's content.
    """
    files: dict[str, FileChange] = {}
    for number, edit in enumerate(edits, start=1):
        if edit.n != number:
            return BrokenFold(message=f"edit {number} is missing or calls itself {edit.n}")
        held = files.get(edit.path)
        if held is not None and held.new != edit.before:
            return BrokenFold(message=f"edit {number} stands on other content of `{edit.path}`")
        old = edit.before if held is None else held.old
        files[edit.path] = FileChange(path=edit.path, old=old, new=edit.content)
    return files


class WholeFile(msgspec.Struct, frozen=True, kw_only=True, tag="content"):
    """The file is to hold *content*."""

    content: bytes


class Replacement(msgspec.Struct, frozen=True, kw_only=True, tag="replace"):
    """*old*, which must stand exactly once, is to become *new*."""

    old: str
    new: str


class Patch(msgspec.Struct, frozen=True, kw_only=True, tag="diff"):
    """The unified *diff* is to be applied, exactly."""

    diff: str


class Removal(msgspec.Struct, frozen=True, kw_only=True, tag="remove"):
    """The file is to go."""


EditChange = WholeFile | Replacement | Patch | Removal


def changed_content(
    change: EditChange, current: bytes | None, *, path: str
) -> bytes | Diagnostic | None:
    """Returns what *change* makes of the file's *current* bytes; None is no file."""
    if isinstance(change, Removal):
        return None if current is not None else _conflict(path, f"there is no file `{path}`")
    if isinstance(change, WholeFile):
        data = change.content
    else:
        try:
            text = None if current is None else current.decode("utf-8")
            new = _new_text(change, text, path=path)
            if isinstance(new, Diagnostic):
                return new
            data = new.encode("utf-8")
        except UnicodeError:
            message = f"`{path}` is not text in UTF-8"
            return _conflict(path, message, remedy="Give the whole file.")
    if len(data) > CONTENT_BYTES_MAX:
        message = f"`{path}` would have {len(data)} bytes; a draft takes {CONTENT_BYTES_MAX}"
        return error("invalid_arguments", path, message, remedy="Split the file.")
    return data


def _new_text(change: Replacement | Patch, text: str | None, *, path: str) -> str | Diagnostic:
    if isinstance(change, Replacement):
        return _replaced(text, change.old, change.new, path=path)
    patched = apply_patch(text or "", change.diff, path=path)
    if not isinstance(patched, PatchFault):
        return patched
    return _conflict(path, f"line {patched.line} of the diff does not fit: {patched.message}")


def _replaced(text: str | None, old: str, new: str, *, path: str) -> str | Diagnostic:
    if text is None:
        return _conflict(path, f"there is no file `{path}`", remedy="Give the whole file.")
    if not old:
        message = "the text to replace is empty"
        return error("invalid_arguments", path, message, remedy="Quote what stands there now.")
    count = text.count(old)
    if count == 1:
        return text.replace(old, new)
    message = f"the text to replace stands {count} times in `{path}`, not once"
    remedy = "Quote more of its surroundings." if count else None
    return _conflict(path, message, remedy=remedy)


def _conflict(path: str, message: str, *, remedy: str | None = None) -> Diagnostic:
    remedy = remedy or "Read the file in the draft again, then edit what it holds."
    return error("draft_edit_conflict", path, message, remedy=remedy)


def refused_path(path: str, names: Wanted) -> Diagnostic | None:
    """Returns why a draft whose cluster.yaml names *names* may not hold *path*, or None."""
    reason = never_config(path)
    if reason is not None:
        remedy = "Edit cluster.yaml, or a file that it names."
        return error("path_not_config", path, reason, remedy=remedy)
    if is_environment_file(path):
        message = f"environments are not built yet, so `{path}` would not be read"
        return error("future_phase_field", path, message, remedy="Edit cluster.yaml.")
    if path == CLUSTER_FILE or names.names(path):
        return None
    message = f"the draft's `{CLUSTER_FILE}` does not name `{path}`"
    return error("path_not_config", path, message, remedy=f"Name it in {CLUSTER_FILE} first.")


def never_config(path: str) -> str | None:
    """Returns why no draft and no patch may hold *path*, whatever cluster.yaml names, or None."""
    fault = path_fault(path)
    if fault is not None:
        return fault
    parts = path.split("/")
    if leaves_folder(path) or ".." in parts:
        return f"`{path}` is not a path inside the folder"
    if any(part.startswith(".") for part in parts):
        return f"`{path}` has a part that begins with a dot"
    if normal_path(path) != path or "\\" in path:
        return f"`{path}` is not written plainly; write `{normal_path(path)}`"
    if is_state_path(path):
        return f"`{path}` is state, data or secrets, which are never config"
    return None
