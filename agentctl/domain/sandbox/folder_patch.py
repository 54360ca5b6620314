"""One unified diff over a whole config folder, made and applied exactly: all files of it or none.

Its form is git's, so that `git apply` takes it too: a section for each file, which begins with
``diff --git``, and new and removed files, also empty ones, say what they are. No line of a hunk can
be taken for the beginning of a section.
"""

from collections.abc import Iterator, Mapping
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.drafting import never_config
from agentctl.domain.config.patches import PatchFault, apply_patch, render_patch
from agentctl.domain.ops.redaction import redact_text

Files = Mapping[str, bytes]
"""Contents by normal path."""

_SECTION: Final = "diff --git "
_NEW: Final = "new file mode 100644"
_DELETED: Final = "deleted file mode 100644"
_INDEX: Final = "index "
_PATCH: Final = "patch"
"""What a diagnostic is about where it is about no file."""
_AGAIN: Final = "Make the change set again from a sandbox over the files as they are now."

What = Literal["new", "deleted", "modified"]


class _Section(msgspec.Struct, frozen=True, kw_only=True):
    """What the patch says of one file."""

    path: str
    what: What
    hunks: tuple[str, ...]
    """Lines; empty only of a file that is empty on its one side."""


class _RefusedError(Exception):
    def __init__(self, path: str, message: str) -> None:
        super().__init__(message)
        self.diagnostic = error("change_set_conflict", path, redact_text(message), remedy=_AGAIN)


def render_folder_patch(before: Files, after: Files) -> str | Diagnostic:
    """Returns the diff from *before* to *after*, by path; of equal files it is empty.

    A file that differs and is no text, or is not config, cannot be part of one: that is the answer.
    """
    sections: list[str] = []
    for path in sorted({*before, *after}):
        old, new = before.get(path), after.get(path)
        if old == new:
            continue
        refused = _refused(path, old, new)
        if refused is not None:
            return refused
        sections.append(_rendered(path, old, new))
    return "".join(sections)


def apply_folder_patch(files: Files, patch: str) -> dict[str, bytes] | Diagnostic:
    """Returns *files* with the whole *patch* applied, or why one hunk of it does not fit."""
    result = dict(files)
    try:
        for section in _sections(patch):
            _apply(section, result)
    except _RefusedError as refused:
        return refused.diagnostic
    return result


def patched_paths(patch: str) -> tuple[str, ...] | Diagnostic:
    """Returns the paths of the files that *patch* is about, in its order."""
    try:
        return tuple(section.path for section in _sections(patch))
    except _RefusedError as refused:
        return refused.diagnostic


def _refused(path: str, old: bytes | None, new: bytes | None) -> Diagnostic | None:
    reason = never_config(path)
    if reason is not None:
        remedy = "Leave the file as it is, and make the change set again."
        return error("path_not_config", path, reason, remedy=remedy)
    if all(_is_text(data) for data in (old, new)):
        return None
    message = f"`{path}` is not text in UTF-8, so no patch can change it"
    remedy = "Bring the file home by itself, or leave it as it is."
    return error("change_set_not_text", path, message, remedy=remedy)


def _is_text(data: bytes | None) -> bool:
    try:
        return data is None or "\0" not in data.decode("utf-8")
    except UnicodeDecodeError:
        return False


def _rendered(path: str, old: bytes | None, new: bytes | None) -> str:
    mode = f"{_NEW}\n" if old is None else f"{_DELETED}\n" if new is None else ""
    texts = (None if data is None else data.decode("utf-8") for data in (old, new))
    return f"{_SECTION}a/{path} b/{path}\n{mode}{render_patch(path, *texts)}"


def _sections(patch: str) -> Iterator[_Section]:
    """Yields the sections; each path once."""
    if not patch:
        return
    lines = patch.removesuffix("\n").split("\n")
    begins = [at for at, line in enumerate(lines) if line.startswith(_SECTION)]
    if begins[:1] != [0]:
        msg = "the patch does not begin with a file"
        raise _RefusedError(_PATCH, msg)
    seen: set[str] = set()
    for begin, end in zip(begins, [*begins[1:], len(lines)], strict=True):
        section = _section(lines[begin:end])
        if section.path in seen:
            msg = f"the patch has `{section.path}` twice"
            raise _RefusedError(section.path, msg)
        seen.add(section.path)
        yield section


def _section(lines: list[str]) -> _Section:
    named = lines[0].removeprefix(_SECTION)
    path = named[2 : 2 + (len(named) - 5) // 2]
    if named != f"a/{path} b/{path}" or never_config(path) is not None:
        msg = f"the patch is about {named!r}, which is no file of config"
        raise _RefusedError(_PATCH, msg)
    first = next((at for at, line in enumerate(lines) if line.startswith("@@ ")), len(lines))
    header = [line for line in lines[1:first] if not line.startswith(_INDEX)]
    what: What = "modified"
    if header[:1] in ([_NEW], [_DELETED]):
        what = "new" if header.pop(0) == _NEW else "deleted"
    old = "/dev/null" if what == "new" else f"a/{path}"
    new = "/dev/null" if what == "deleted" else f"b/{path}"
    is_named = [line.rstrip("\t") for line in header] == [f"--- {old}", f"+++ {new}"]
    is_empty = not header and first == len(lines) and what != "modified"
    if not (is_empty or (is_named and first < len(lines))):
        msg = f"the patch of `{path}` has no hunk, or another header than files of config have"
        raise _RefusedError(path, msg)
    return _Section(path=path, what=what, hunks=tuple(lines[first:]))


def _apply(section: _Section, files: dict[str, bytes]) -> None:
    """Changes one file of *files*."""
    path = section.path
    held = files.get(path)
    if (held is not None) == (section.what == "new"):
        word = "there already" if held is not None else "not there"
        msg = f"`{path}` is {word}, which the patch does not expect"
        raise _RefusedError(path, msg)
    try:
        text = (held or b"").decode("utf-8")
    except UnicodeDecodeError:
        msg = f"`{path}` is not text in UTF-8"
        raise _RefusedError(path, msg) from None
    patched = _patched(section, text)
    if section.what != "deleted":
        files[path] = patched.encode("utf-8")
        return
    if patched:
        msg = f"`{path}` has more than the lines that the patch removes"
        raise _RefusedError(path, msg)
    del files[path]


def _patched(section: _Section, text: str) -> str:
    if not section.hunks:
        return text
    patched = apply_patch(text, "\n".join(section.hunks), path=section.path)
    if not isinstance(patched, PatchFault):
        return patched
    hunk = sum(line.startswith("@@ ") for line in section.hunks[: patched.line])
    msg = f"hunk {hunk} of `{section.path}` does not fit: {patched.message}"
    raise _RefusedError(section.path, msg)
