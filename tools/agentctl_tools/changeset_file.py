"""A change set from a file, applied to a folder of this machine; local, like `fmt`: no cluster is opened."""

from pathlib import Path

import anyio

from agentctl.adapters.sources.directory import Folder
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.changeset import ChangeSetError, decode_changeset
from agentctl.engine.changeset_folder import apply_to_folder


async def apply_file(file: Path, folder: Path) -> tuple[Diagnostic, ...]:
    """Writes what the change set in *file* makes of *folder*; returns why nothing was written."""
    try:
        body = decode_changeset(await anyio.Path(file).read_bytes())
    except ChangeSetError as failure:
        remedy = "agentctl changeset show DIGEST --out FILE"
        return (error("change_set_not_found", file.name, str(failure), remedy=remedy),)
    return await apply_to_folder(Folder(folder), body)
