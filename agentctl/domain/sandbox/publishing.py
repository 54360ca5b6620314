"""Publication step by step: how each step changes the record, and why an order is refused.

A record goes PENDING, COMMITTED, PR_CREATED, MERGED; FAILED keeps what was reached, and a retry goes
on from there. What does the work is `adapters.forge.publish`. Source: sandboxes 4, Publication.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.config.drafting import FileChange
from agentctl.domain.config.paths import is_state_path, leaves_folder, normal_path, path_fault
from agentctl.domain.config.remotes import Remote
from agentctl.domain.sandbox.publication import move, reached
from agentctl.domain.sandbox.publication_order import PublicationOrder
from agentctl.domain.sandbox.publication_words import branch_name
from agentctl.domain.sandbox.records import Publication, PublicationStatus

CLOSED: Final = "the pull request was closed without being merged"
DELETED: Final = "the pull request is not there any more"
"""What `error_msg` says of a publication that is PR_CREATED and has no open pull request."""


class Publishing(msgspec.Struct, frozen=True, kw_only=True):
    """A publication after something was done or looked at, and what there is to tell."""

    publication: Publication
    diagnostics: tuple[Diagnostic, ...] = ()

    @property
    def ok(self) -> bool:
        """Returns whether nothing failed."""
        return not any(d.severity == "error" for d in self.diagnostics)


def begin(order: PublicationOrder, remote: Remote) -> Publication:
    """Returns the record of a publication that nothing was done of."""
    return Publication(
        id=order.id,
        job_id=order.job_id,
        repo_url=remote.name,
        branch=branch_name(order.sandbox_name, order.sandbox_id),
        created_at=order.at,
        updated_at=order.at,
    )


def is_over(publication: Publication) -> bool:
    """Returns whether the pull request of a publication was closed or deleted without a merge."""
    return publication.status == "PR_CREATED" and publication.error_msg in {CLOSED, DELETED}


def committed(publication: Publication, sha: str) -> Publication:
    """Returns the record of one whose commit is there; what was reached beyond it stays reached."""
    if reached(publication) == "PR_CREATED" or publication.status == "COMMITTED":
        assert publication.commit_sha == sha, "one publication has one commit"
        return publication
    return _moved(publication, "COMMITTED", commit_sha=sha)


def pulled(publication: Publication, url: str) -> Publication:
    """Returns the record of one whose pull request is open at *url*."""
    return _moved(publication, "PR_CREATED", pr_url=url)


def merged(publication: Publication) -> Publication:
    """Returns the record of one that is part of the branch it was meant for."""
    return _moved(publication, "MERGED")


def over(publication: Publication, why: str) -> Publication:
    """Returns the record with `CLOSED` or `DELETED`; it stays PR_CREATED."""
    assert publication.status == "PR_CREATED"
    assert why in {CLOSED, DELETED}
    return msgspec.structs.replace(publication, error_msg=why)


def failed(publication: Publication, why: Diagnostic) -> Publication:
    """Returns the record of one that could not go on; what it reached stays."""
    return _moved(publication, "FAILED", error_msg=why.message)


def _moved(publication: Publication, status: PublicationStatus, **more: object) -> Publication:
    assert move(publication, status) == status, f"{publication.status} does not become {status}"
    fields: dict[str, object] = {"error_msg": None, **more, "status": status}
    return msgspec.structs.replace(publication, **fields)


def find_remote(name: str, remotes: Mapping[str, Remote]) -> Remote | Diagnostic:
    """Returns the remote that is called *name* among those that are applied."""
    found = remotes.get(name)
    if found is not None:
        return found
    known = ", ".join(f"`{known}`" for known in sorted(remotes))
    return error(
        "publication_remote_unknown",
        "cluster",
        "no remote of that name is applied",
        detail=f"Applied are {known}." if known else "None is applied.",
        remedy="Name an applied remote. A new one is declared under `publication.remotes` in"
        " cluster.yaml, and applied after a person consents.",
    )


def address_of(order: PublicationOrder) -> str:
    """Returns the address of the sandbox that is published."""
    return f"sandbox:{order.sandbox_id}"


def order_faults(order: PublicationOrder) -> tuple[Diagnostic, ...]:
    """Returns why an order cannot be carried out, whatever the folder and the remote are."""
    if not order.files:
        return (nothing_to_publish(address_of(order)),)
    return tuple(
        error("path_not_config", file.path, reason)
        for file in order.files
        if (reason := _path_reason(file.path)) is not None
    )


def nothing_to_publish(path: str) -> Diagnostic:
    """Returns that a publication would change nothing."""
    message = "there is nothing to publish: no file would change"
    remedy = "Data comes back by a merge; only configuration is published."
    return error("publication_nothing", path, message, remedy=remedy)


def base_moved(path: str, *, where: str) -> Diagnostic:
    """Returns that a file is not any more what the sandbox started from."""
    return error(
        "publication_base_moved",
        path,
        f"`{path}` in {where} is neither what the sandbox started from nor what it made of it",
        remedy="Commit what the folder holds, or open a new sandbox and make the changes there.",
    )


def moved_files(
    files: tuple[FileChange, ...], present: Mapping[str, str | None], *, where: str
) -> tuple[Diagnostic, ...]:
    """Returns a fault for each file that is neither as it was nor as it is to be.

    Args:
        files: what is to become of them.
        present: SHA-256 by path of what is there now; None for no file.
        where: what is looked at, for the message.
    """
    return tuple(
        base_moved(file.path, where=where)
        for file in files
        if present.get(file.path) not in {file.old, file.new}
    )


def _path_reason(path: str) -> str | None:
    fault = path_fault(path)
    if fault is not None:
        return fault
    if any("\ud800" <= c <= "\udfff" for c in path):
        return "the path is not text in UTF-8"
    if leaves_folder(path) or normal_path(path) != path or "\\" in path or path == ".":
        return "the path is not one inside the folder, written plainly"
    if is_state_path(path) or any(part.startswith(".") for part in path.split("/")):
        return "the path is of state, data or secrets, which are never published"
    return None
