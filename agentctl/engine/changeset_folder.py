"""A change set applied to a folder by itself, with no cluster at hand: all files of it or none.

The folder has to be the base, file by file; one that has the result already is left as it is.
Source: sandboxes 4, ChangeSet and Publication.
"""

from agentctl.adapters.forge.into_folder import publish_to_folder
from agentctl.adapters.sources.directory import Folder
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.changeset import ChangeSetBody, changeset_digest
from agentctl.domain.sandbox.publication_order import PublicationOrder
from agentctl.engine.changesets import file_changes, replayed


async def apply_to_folder(folder: Folder, body: ChangeSetBody) -> tuple[Diagnostic, ...]:
    """Writes what a change set makes of its base into *folder*; returns why nothing was written.

    Nobody else may write to the folder meanwhile; there is no lease that would keep them out.
    """
    loaded = await folder.load(confined=True)
    if loaded.source_digest == body.result.source_digest:
        return ()
    if loaded.source_digest != body.base.source_digest:
        return (
            error(
                "change_set_conflict",
                "cluster",
                "the folder is neither what the change set stands on nor what it makes of it",
                detail=f"It stands on the source {body.base.source_digest}; the folder is"
                f" {loaded.source_digest}.",
                remedy="Check the base out, then apply the change set to that.",
            ),
        )
    after = await replayed(loaded.files, body)
    if isinstance(after, Diagnostic):
        return (after,)
    files = file_changes(loaded.files, after)
    digest = changeset_digest(body)
    order = PublicationOrder(
        id=digest,
        job_id=digest,
        sandbox_id="",
        sandbox_name="",
        files=files,
        contents={file.path: after[file.path] for file in files if file.new is not None},
        principal="",
        at="",
        intent="",
        change_set=digest,
    )
    return await publish_to_folder(folder, order)
