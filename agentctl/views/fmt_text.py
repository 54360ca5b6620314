"""What formatting changed, a line a file; diffs as they are, safe to print."""

from typing import Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.foreign import Foreign, show
from agentctl.views.wording import counted, safe

_PATH_CELLS_MAX = 500
_LINE_CELLS_MAX = 4_000
_TAB = 4


Outcome = Literal["changed", "unchanged", "failed"]


class FormattedFile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What came of one file."""

    path: str
    """Relative to the folder where it is inside of it."""
    outcome: Outcome
    """``changed``: it is written, or with `--check` and `--diff` it would be."""
    diff: str | None = None
    """The change as a unified diff, where it was asked for."""
    text: str | None = None
    """The canonical text, where it came from stdin and is not written anywhere."""


class FormatResult(msgspec.Struct, frozen=True, kw_only=True):
    """`fmt`."""

    ok: bool
    """Whether every file could be formatted, and with `--check` whether none would change."""
    files: tuple[FormattedFile, ...]
    diagnostics: tuple[Diagnostic, ...]


def fmt_text(result: FormatResult, *, written: bool) -> str:
    """Returns each changed file, and how many there were; *written* says whether they are now."""
    changed = [f for f in result.files if f.outcome == "changed"]
    verb = "formatted" if written else "would format"
    lines = [
        line
        for file in changed
        for line in (_shown(file.diff) if file.diff is not None else [f"{verb} {_path(file)}"])
    ]
    same = sum(f.outcome == "unchanged" for f in result.files)
    failed = sum(f.outcome == "failed" for f in result.files)
    told = [
        f"{counted(len(changed), 'file')} {'formatted' if written else 'to format'}",
        f"{same:,} unchanged",
        *([f"{failed:,} with errors"] if failed else []),
    ]
    return "\n".join([*lines, f"{', '.join(told)}."]) + "\n"


def _path(file: FormattedFile) -> str:
    return safe(file.path, _PATH_CELLS_MAX)


def terminal_text(text: str) -> str:
    """Returns formatted text as a terminal may have it; its exact bytes need a file or a pipe."""
    return "\n".join(_shown(text)) + "\n" if text else ""


def _shown(text: str) -> list[str]:
    return [
        show(Foreign(line.expandtabs(_TAB)), limit=_LINE_CELLS_MAX)
        for line in text.removesuffix("\n").split("\n")
    ]
