"""What is to be published of a sandbox, and what is said of it. Source: sandboxes 4, Publication."""

from collections.abc import Mapping

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.domain.config.drafting import FileChange


class PublicationOrder(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be published, and what is said of it. The same order makes the same commit."""

    id: str
    """Of the publication; a ULID."""
    job_id: str
    """The op that asked."""
    sandbox_id: str
    sandbox_name: str
    files: tuple[FileChange, ...]
    """What the change set makes of the folder's files, by paths relative to the folder."""
    contents: Mapping[str, bytes]
    """The new bytes of each file that is not removed, by path."""
    principal: str
    """Who publishes; the commit's author."""
    at: str
    """When it was asked for; RFC 3339. The commit's date."""
    intent: str
    on_behalf_of: str | None = None
    change_set: str | None = None
    plan_digest: str | None = None
    blast_radius: tuple[str, ...] = ()
    """What the plan would touch, one fact a line."""
    evidence: tuple[str, ...] = ()
    """What was tried in the sandbox and how it ended, one fact a line."""
    op_ids: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        wanted = {file.path: file.new for file in self.files if file.new is not None}
        assert {path: sha256_hex(data) for path, data in self.contents.items()} == wanted
