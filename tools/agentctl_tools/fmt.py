"""`fmt`: files of both languages in their canonical form.

Local: a file needs no cluster to be formatted. A file with syntax errors is never written, and one
that changes is replaced whole or not at all.
"""

import os
import stat
from collections.abc import Iterable, Iterator
from difflib import unified_diff
from io import StringIO
from pathlib import Path
from typing import Final

from agentctl.adapters.sources.confined import Unreadable, read_file, write_file
from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.paths import is_state_path
from agentctl.languages.query.format import format_queries
from agentctl.languages.schema.format import format_schema
from agentctl.languages.text.layout import Formatted
from agentctl.views.fmt_text import FormatResult, FormattedFile

SUFFIXES: Final = (".pg", ".gq")
_WRITABLE: Final = stat.S_IWUSR | stat.S_IWGRP | stat.S_IWOTH


def format_text(data: bytes, *, file: str) -> Formatted:
    """Returns *data* in canonical form; the ending of *file* says in which language it is."""
    formatter = format_schema if file.endswith(".pg") else format_queries
    return formatter(data, file=file)


def format_stream(
    data: bytes, *, file: str, check: bool = False, diff: bool = False
) -> FormatResult:
    """Formats text that is in no file; the canonical text, or the diff, stands in the result."""
    formatted = format_text(data, file=file)
    if formatted.text is None:
        failed = FormattedFile(path=file, outcome="failed")
        found = sort_diagnostics(formatted.diagnostics)
        return FormatResult(ok=False, files=(failed,), diagnostics=found)
    changed = formatted.text.encode("utf-8") != data
    told = FormattedFile(
        path=file,
        outcome="changed" if changed else "unchanged",
        diff=_diff(data.decode("utf-8"), formatted.text, file) if diff and changed else None,
        text=None if check or diff else formatted.text,
    )
    return FormatResult(ok=not (check and changed), files=(told,), diagnostics=())


def format_files(
    paths: Iterable[Path], *, folder: Path, check: bool = False, diff: bool = False
) -> FormatResult:
    """Formats files, and every file of the languages below folders.

    Args:
        paths: what was named; nothing means *folder*.
        folder: the cluster's; names in the result are relative to it.
        check: whether nothing is written, and a file that would change makes the result not ok.
        diff: whether nothing is written and each change is told as a diff.
    """
    files: list[FormattedFile] = []
    found: list[Diagnostic] = []
    for path in _files(tuple(paths) or (folder,), folder, found):
        name = _name(path, folder)
        files.append(_format(path, name, write=not (check or diff), diff=diff, found=found))
    changes = any(f.outcome == "changed" for f in files)
    return FormatResult(
        ok=not found and not (check and changes),
        files=tuple(files),
        diagnostics=sort_diagnostics(found),
    )


def _format(
    path: Path, name: str, *, write: bool, diff: bool, found: list[Diagnostic]
) -> FormattedFile:
    """Formats one file; what is wrong goes to *found*."""
    real = _real(path)
    data = read_file(real)
    if not isinstance(data, bytes):
        reason = data.reason if isinstance(data, Unreadable) else "it is not there"
        return _failed(name, f"the file cannot be read: {reason}", found)
    formatted = format_text(data, file=name)
    if formatted.text is None:
        found.extend(formatted.diagnostics)
        return FormattedFile(path=name, outcome="failed")
    after = formatted.text.encode("utf-8")
    if after == data:
        return FormattedFile(path=name, outcome="unchanged")
    if write:
        try:
            if not real.stat().st_mode & _WRITABLE:
                return _failed(name, "the file cannot be written: it is read-only", found)
            write_file(real.parent, real.name, after)
        except OSError as fault:
            reason = os.strerror(fault.errno or 0).lower()
            return _failed(name, f"the file cannot be written: {reason}", found)
    told = _diff(data.decode("utf-8"), formatted.text, name) if diff else None
    return FormattedFile(path=name, outcome="changed", diff=told)


def _failed(name: str, message: str, found: list[Diagnostic]) -> FormattedFile:
    found.append(error("format_file_unusable", name, message))
    return FormattedFile(path=name, outcome="failed")


def _diff(before: str, after: str, name: str) -> str:
    lines = unified_diff(_lines(before), _lines(after), fromfile=name, tofile=name)
    ended = (x if x.endswith("\n") else f"{x}\n\\ No newline at end of file\n" for x in lines)
    return "".join(ended)


def _lines(text: str) -> list[str]:
    """Returns lines that end at a line feed, and at nothing else as `str.splitlines` has it."""
    return StringIO(text, newline="\n").readlines()


def _files(paths: tuple[Path, ...], folder: Path, found: list[Diagnostic]) -> Iterator[Path]:
    """Yields each file once, those of a folder in order of their names."""
    seen: set[Path] = set()
    for path in paths:
        for file in _below(path, folder, found) if path.is_dir() else (path,):
            if file.suffix not in SUFFIXES:
                message = "the file is no `.pg` and no `.gq`"
                found.append(error("format_file_unusable", _name(file, folder), message))
            elif (real := _real(file)) not in seen:
                seen.add(real)
                yield file


def _real(path: Path) -> Path:
    """Returns where *path* leads; of links in a circle one of them, which nobody can read."""
    return Path(os.path.realpath(path))


def _below(top: Path, folder: Path, found: list[Diagnostic]) -> tuple[Path, ...]:
    """Returns the files of the languages below *top*: no hidden ones, no state, no data, no links.

    A folder that cannot be listed goes to *found*.
    """

    def tell(fault: OSError) -> None:
        name = _name(Path(os.fsdecode(fault.filename)), folder)
        reason = os.strerror(fault.errno or 0).lower()
        found.append(error("format_file_unusable", name, f"the folder cannot be read: {reason}"))

    listed: list[Path] = []
    for parent, folders, names in os.walk(top, onerror=tell):
        inside = Path(parent)
        folders[:] = [n for n in folders if _is_config(inside / n, folder)]
        listed += [inside / n for n in names if n.endswith(SUFFIXES)]
    return tuple(sorted(file for file in listed if _is_config(file, folder)))


def _is_config(path: Path, folder: Path) -> bool:
    hidden = path.name.startswith(".") or path.is_symlink()
    return not hidden and not is_state_path(_name(path, folder))


def _name(path: Path, folder: Path) -> str:
    """Returns how the file is named in results: within the folder without it, always as text."""
    whole = Path(os.path.abspath(path))  # noqa: PTH100  # keeps links, unlike resolve()
    base = Path(os.path.abspath(folder))  # noqa: PTH100
    named = whole.relative_to(base).as_posix() if whole.is_relative_to(base) else str(path)
    return os.fsencode(named).decode("utf-8", "backslashreplace")
