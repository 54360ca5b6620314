"""Publishes to the folder itself: all files of a change set, or none.

Each file is looked at before any is written; one that is neither as it was nor as it is to be stops
everything. What a failure left half done is put back. Against a process that dies half way this has no
journal: who holds a storage root calls `engine.homecoming.bring_home` instead, which has.
Source: sandboxes 4, Publication.
"""

from collections.abc import Mapping

from agentctl.adapters.forge.failure import safe_words
from agentctl.adapters.sources.directory import Folder
from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.drafting import FileChange
from agentctl.domain.sandbox.publication_order import PublicationOrder
from agentctl.domain.sandbox.publishing import moved_files, order_faults

_WHERE = "the folder"


async def publish_to_folder(folder: Folder, order: PublicationOrder) -> tuple[Diagnostic, ...]:
    """Writes what a sandbox changed into the folder; returns why nothing was written, else nothing.

    The caller holds the cluster lease. Done twice it does nothing the second time.
    """
    faults = order_faults(order)
    if faults:
        return faults
    try:
        before = {file.path: await folder.read(file.path) for file in order.files}
    except OSError as failure:
        return (_unwritable(failure),)
    digests = {path: _digest(data) for path, data in before.items()}
    moved = moved_files(order.files, digests, where=_WHERE)
    if moved:
        return moved
    todo = tuple(file for file in order.files if digests[file.path] != file.new)
    return await _write(folder, todo, order.contents, before)


async def _write(
    folder: Folder,
    todo: tuple[FileChange, ...],
    contents: Mapping[str, bytes],
    before: Mapping[str, bytes | None],
) -> tuple[Diagnostic, ...]:
    """Writes each file, looking at it just before; on any trouble those before it are put back."""
    for index, file in enumerate(todo):
        try:
            present = {file.path: _digest(await folder.read(file.path))}
            told = moved_files((file,), present, where=_WHERE)
            if not told:
                await _put(folder, file.path, contents.get(file.path))
        except OSError as failure:
            told = (_unwritable(failure),)
        if told:
            return told + await _put_back(folder, todo[: index + 1], before)
    return ()


async def _put_back(
    folder: Folder, written: tuple[FileChange, ...], before: Mapping[str, bytes | None]
) -> tuple[Diagnostic, ...]:
    """Gives files what they held, where they hold what was just written."""
    told: list[Diagnostic] = []
    for file in reversed(written):
        try:
            await folder.tidy(file.path)
            if _digest(await folder.read(file.path)) == file.new:
                await _put(folder, file.path, before[file.path])
        except OSError as failure:
            told.append(_unwritable(failure))
    return tuple(told)


async def _put(folder: Folder, path: str, data: bytes | None) -> None:
    if data is None:
        await folder.remove(path)
    else:
        await folder.write(path, data)


def _digest(data: bytes | None) -> str | None:
    return None if data is None else sha256_hex(data)


def _unwritable(failure: OSError) -> Diagnostic:
    return error(
        "publication_folder_failed",
        "cluster",
        f"the folder cannot be written: {safe_words(str(failure), multiline=False)}",
        remedy="Mend that, then publish again.",
    )
