"""Applied sources as plain text: their files, what differs, and the draft that brings one back."""

from collections.abc import Sequence
from typing import Final, Protocol

from agentctl.foreign import Foreign, show
from agentctl.views.wording import counted, paragraph, safe, short_digest

LINE_CELLS_MAX: Final = 1_000


class FileShown(Protocol):
    """One file."""

    @property
    def path(self) -> str:
        """As cluster.yaml names it."""
        ...

    @property
    def size_bytes(self) -> int:
        """Of its content."""
        ...


class KeptShown(Protocol):
    """The source of one ledger object."""

    @property
    def seq(self) -> int:
        """Of the object."""
        ...

    @property
    def digest(self) -> str:
        """Of the source."""
        ...

    @property
    def commit(self) -> str | None:
        """Where it is a commit."""
        ...

    @property
    def branch(self) -> str | None:
        """On which that commit is."""
        ...

    @property
    def files(self) -> Sequence[FileShown]:
        """Sorted."""
        ...

    @property
    def text(self) -> str | None:
        """Of the one file that was asked for."""
        ...


class DiffShown(Protocol):
    """What differs."""

    @property
    def diff(self) -> str:
        """As a unified diff."""
        ...


class RestoredShown(Protocol):
    """A draft with an earlier source."""

    @property
    def seq(self) -> int:
        """Of the ledger object."""
        ...

    @property
    def draft(self) -> str:
        """Its id."""
        ...

    @property
    def changed(self) -> Sequence[str]:
        """Paths that differ from the folder."""
        ...

    @property
    def left_out(self) -> Sequence[str]:
        """Paths outside the folder that differ."""
        ...


def kept_text(kept: KeptShown) -> str:
    """Returns the list of files, or the one that was asked for."""
    if kept.text is not None:
        return _lines(kept.text)
    lines = [f"Ledger object {kept.seq}: source {short_digest(kept.digest or None)}"]
    if kept.commit is not None:
        branch = f" on {safe(kept.branch)}" if kept.branch else ""
        lines.append(f"Commit {safe(kept.commit)}{branch}")
    lines += [f"  {safe(f.path)}  {counted(f.size_bytes, 'byte')}" for f in kept.files]
    return paragraph(lines)


def diff_text(found: DiffShown) -> str:
    """Returns the diff, each line safe to print."""
    return _lines(found.diff) or "No difference.\n"


def restored_text(restored: RestoredShown) -> str:
    """Returns what to do with the draft."""
    if not restored.changed:
        lines = [f"The folder holds the source of ledger object {restored.seq} already."]
        lines.append(f"Nothing is in draft {safe(restored.draft)}.")
    else:
        lines = [f"Draft {safe(restored.draft)} holds the source of ledger object {restored.seq}:"]
        lines += [f"  {safe(path)}" for path in restored.changed]
    if restored.left_out:
        lines.append("Outside the folder, and not brought back:")
        lines += [f"  {safe(path)}" for path in restored.left_out]
    lines += ["", f"agentctl plan --draft {safe(restored.draft)}"]
    return paragraph(lines)


def _lines(text: str) -> str:
    shown = (show(Foreign(line), limit=LINE_CELLS_MAX) for line in text.splitlines())
    return "".join(f"{line}\n" for line in shown)
