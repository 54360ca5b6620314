"""What agentctl keeps in a cluster folder and git is to leave out: lines of its `.gitignore`.

Lines are added, each only where no `.gitignore` names its path already; what others wrote there stays.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec
from anyio import to_thread

from agentctl.adapters.sources.git_draft import ignored
from agentctl.diagnostics.diagnostic import Diagnostic, note, warning
from agentctl.domain.config.paths import STATE_FOLDERS
from agentctl.engine.cluster import Cluster

IGNORE_FILE: Final = ".gitignore"
_HOME: Final = "__cluster/"
"""Of the folder itself, wherever the storage root is: it is bound there."""
_SECRETS: Final = ".env*"
_SECRETS_TRIED: Final = (".env", ".env.local", ".env.x")
_SPECIAL: Final = re.compile(r"([\\*?\[\]#! ])")


class LeftOut(msgspec.Struct, frozen=True, kw_only=True):
    """What became of the `.gitignore`."""

    lines: tuple[str, ...] = ()
    """That were added, or should be where there was trouble."""
    trouble: str | None = None
    """Why the file could not be read or written."""

    def diagnostics(self) -> tuple[Diagnostic, ...]:
        """Returns what to tell; nothing where there was nothing to do."""
        if self.trouble is not None:
            told = f"what agentctl keeps in the folder could not be left out of git: {self.trouble}"
            remedy = f"Add it to {IGNORE_FILE} yourself: {' '.join(self.lines)}"
            return (warning("gitignore_not_written", IGNORE_FILE, told, remedy=remedy),)
        if not self.lines:
            return ()
        told = f"{IGNORE_FILE} leaves out {', '.join(self.lines)} now"
        return (note("gitignore_written", IGNORE_FILE, told),)


async def leave_out_of_git(cluster: Cluster) -> LeftOut:
    """Adds to the folder's `.gitignore` what agentctl keeps there and no `.gitignore` names."""
    folder = cluster.folder
    wanted = kept_in(folder.resolved, cluster.storage, cluster.store.uri)
    lines = tuple(wanted)
    try:
        data = await folder.read(IGNORE_FILE) or b""
        left_out = await to_thread.run_sync(
            ignored, folder.path, [path for tried in wanted.values() for path in tried]
        )
        own = {_named(line) for line in data.decode("utf-8", "replace").splitlines()}
        lines = tuple(
            line
            for line, tried in wanted.items()
            if _named(line) not in own and not left_out.issuperset(tried)
        )
        if lines:
            await folder.write(IGNORE_FILE, _with_lines(data, lines))
    except OSError as failure:
        return LeftOut(lines=lines, trouble=failure.strerror or str(failure))
    return LeftOut(lines=lines)


def kept_in(folder: Path, storage: str, uri: str) -> Mapping[str, tuple[str, ...]]:
    """Returns the lines of what agentctl keeps in a folder, each with paths that show its effect.

    Args:
        folder: with every link followed.
        storage: the storage root as it is written; ``.`` for the folder.
        uri: of the storage root.
    """
    lines = [_HOME]
    if storage == ".":
        lines += sorted(f"{name}/" for name in STATE_FOLDERS if f"{name}/" != _HOME)
    elif uri.startswith("file://"):
        root = Path(unquote(urlsplit(uri).path)).resolve()
        if root == folder:
            return kept_in(folder, ".", uri)
        if root.is_relative_to(folder):
            lines.append(f"/{_SPECIAL.sub(_ESCAPED, root.relative_to(folder).as_posix())}/")
    paths = {line: (f"{_plain(line)}x",) for line in lines}
    return {**paths, _SECRETS: _SECRETS_TRIED}


_ESCAPED: Final = r"\\\1"


def _plain(line: str) -> str:
    return re.sub(r"\\(.)", r"\1", line.removeprefix("/"))


def _named(line: str) -> str:
    """Returns what a line is about, whether it leaves that out or, by a ``!``, does not."""
    return line.strip().removeprefix("!").removeprefix("/").removesuffix("/*").rstrip("/")


def _with_lines(data: bytes, lines: Iterable[str]) -> bytes:
    end = b"\r\n" if b"\r\n" in data else b"\n"
    gap = b"" if not data or data.endswith(b"\n") else end
    return data + gap + b"".join(line.encode() + end for line in lines)
