"""What a sandbox was lent: the records that make a draft a sandbox, and end one. Pure.

`sandboxes/<id>/graphs.json` and `sandboxes/<id>/ended.json`, each written once. Source: ADR 27.
"""

from collections.abc import Mapping
from typing import Final, Literal

import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.domain.ledger.roots import root_of
from agentctl.domain.ledger.state import (
    GraphObserved,
    Observation,
    State,
)
from agentctl.ids import graph_address, is_ulid

ROOM: Final = "sandboxes/"
BRANCH_PREFIX: Final = "sandbox/"
"""What the names of the real branches of sandboxes begin with."""
EPOCH_LAST: Final = 2**62
"""Of the tombstones that end a sandbox's branches: no lease has a higher one."""
TARGET_PREFIX: Final = "sandbox:"

EndReason = Literal["closed", "expired", "not_opened", "failed"]


class LendingBase(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the sandbox is a copy of; pinned, and never changes."""

    cluster_id: str
    seq: int
    """The ledger object in force when it was opened."""
    source: str
    """Digest of the folder's source."""

    @property
    def image(self) -> str:
        """How the seed's field `base_image` names it."""
        return f"{self.cluster_id}@{self.seq}"


class Lent(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One graph that the sandbox has."""

    graph: str
    """Its id in the ledger."""
    incarnation: str
    commit: int
    """Of the real `main`, from which its branch is cut."""
    content: str
    """Digest of what that commit names."""
    schema_digest: str | None
    """SHA-256 of the schema's source."""
    rows: Mapping[str, int]
    """Row counts by type name."""


class Lending(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``graphs.json``: what was lent to a sandbox, by whose op, and where it stands."""

    version: Literal[1] = 1
    sandbox: str
    name: str
    by: str
    op: str
    """The audited call that asked; the seed's `job_id`."""
    at: str
    intent: str = ""
    base: LendingBase
    graphs: Mapping[str, Lent]
    """By root."""


class Ended(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``ended.json``: from now on nothing is done in the sandbox, and everything of it goes."""

    version: Literal[1] = 1
    sandbox: str
    by: str
    at: str
    reason: EndReason


def room_of(sandbox_id: str) -> str:
    """Returns what the keys of a sandbox's objects begin with, slash included."""
    return f"{ROOM}{sandbox_id}/"


def lending_key(sandbox_id: str) -> str:
    """Returns the key of ``graphs.json``."""
    return f"{room_of(sandbox_id)}graphs.json"


def ended_key(sandbox_id: str) -> str:
    """Returns the key of ``ended.json``."""
    return f"{room_of(sandbox_id)}ended.json"


def record_key(sandbox_id: str) -> str:
    """Returns the key of ``sandbox.json``."""
    return f"{room_of(sandbox_id)}sandbox.json"


def trunk_of(sandbox_id: str) -> str:
    """Returns the real branch that is `main` inside."""
    return f"{BRANCH_PREFIX}{sandbox_id}"


def sandbox_of_branch(branch: str) -> str | None:
    """Returns the sandbox whose branch it is, by its name; None for any other branch."""
    if not branch.startswith(BRANCH_PREFIX):
        return None
    found = branch.removeprefix(BRANCH_PREFIX).partition("/")[0]
    return found if is_ulid(found) else None


def sandbox_of(target: str) -> str | None:
    """Returns the sandbox that ``sandbox:<id>`` names; None for any other text."""
    found = target.removeprefix(TARGET_PREFIX)
    return found if target.startswith(TARGET_PREFIX) and is_ulid(found) else None


def target_of(sandbox_id: str) -> str:
    """Returns how plans and policy name a sandbox."""
    return f"{TARGET_PREFIX}{sandbox_id}"


def lending_bytes(record: Lending | Ended) -> bytes:
    """Returns the canonical JSON that is stored."""
    return canonical_bytes(record)


def decode_lending(data: bytes) -> Lending:
    """Returns the record.

    Raises:
        msgspec.DecodeError: it is none, or of another version.
    """
    return msgspec.json.decode(data, type=Lending)


def decode_ended(data: bytes) -> Ended:
    """Returns the record.

    Raises:
        msgspec.DecodeError: it is none, or of another version.
    """
    return msgspec.json.decode(data, type=Ended)


def first_state(state: State, lending: Lending) -> State:
    """Returns what the sandbox's ledger begins with: what is applied, over its own branches.

    Each branch was cut by commit 1. What was detached or observed of other graphs is not lent, and
    approvals and recoveries are the real cluster's.
    """
    observations: dict[str, Observation] = {}
    for address, seen in sorted(state.observations.items()):
        if not isinstance(seen, GraphObserved):
            continue
        lent = lending.graphs.get(root_of(state, address.removeprefix("graph.")))
        if lent is not None and graph_address(lent.graph) == address:
            observations[address] = msgspec.structs.replace(seen, graph_manifest_version=1)
    return msgspec.structs.replace(
        state, observations=observations, approval_records={}, recovery_records={}
    )
