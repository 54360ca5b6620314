"""Recovery sidecars on storage: the written intents of graph-moving steps. Source: control-plane 1.5, 3.5."""

from typing import Final

import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.ledger.sidecar import Sidecar
from agentctl.domain.storage.protocol import BackendError, ObjectStore
from agentctl.ids import is_resource_id

PREFIX: Final = "__cluster/recoveries/"
_REMEDIES: Final = {
    "recovery_sidecar_read_error": "agentctl refresh",
    "recovery_sidecar_cleanup_failed": "agentctl refresh",
    "unsupported_recovery_sidecar_version": "Run the agentctl that wrote it, or a newer one.",
    "invalid_recovery_sidecar": "See what its graph holds (`agentctl graph show ID`), then remove"
    " the file.",
}


class FoundSidecars(msgspec.Struct, frozen=True, kw_only=True):
    """What lies under the recoveries."""

    sidecars: tuple[Sidecar, ...]
    """In order of their names."""
    diagnostics: tuple[Diagnostic, ...]
    """A warning for each that could not be understood; such a file is left alone."""
    strange: tuple[str | None, ...] = ()
    """Ids of the graphs that those are about, as far as they can be read: something may have been
    done to them that only another release, or a later look, can settle."""


class _Named(msgspec.Struct, frozen=True, kw_only=True):
    """The one field by which a sidecar of another release can be attributed."""

    graph_id: str


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    schema_version: int


def sidecar_key(operation_id: str) -> str:
    """Returns where the sidecar of that name lies."""
    return f"{PREFIX}{operation_id}.json"


async def read_sidecars(store: ObjectStore) -> FoundSidecars:
    """Returns every sidecar, in order of names, and what is wrong with the rest."""
    sidecars: list[Sidecar] = []
    found: list[Diagnostic] = []
    strange: list[str | None] = []
    for key in await store.list(PREFIX):
        try:
            stored = await store.read(key)
        except BackendError as failure:
            found.append(_warn("recovery_sidecar_read_error", key, str(failure)))
            strange.append(None)
            continue
        if stored is None:
            continue
        decoded = _decode(key, stored.data)
        if isinstance(decoded, Sidecar):
            sidecars.append(decoded)
        else:
            found.append(decoded)
            strange.append(_graph_named(stored.data))
    return FoundSidecars(sidecars=tuple(sidecars), diagnostics=tuple(found), strange=tuple(strange))


async def write_sidecar(store: ObjectStore, sidecar: Sidecar) -> None:
    """Writes the intent of a step; nothing of the step may happen before this returns.

    Raises:
        BackendError: it may not be there; the step must not start.
    """
    created = await store.create(sidecar_key(sidecar.operation_id), encode_sidecar(sidecar))
    assert created, "a sidecar's name is a fresh ULID"


async def remove_sidecar(store: ObjectStore, sidecar: Sidecar) -> Diagnostic | None:
    """Removes a settled sidecar; returns a warning where that failed, for the next command to do."""
    key = sidecar_key(sidecar.operation_id)
    try:
        await store.delete(key)
    except BackendError as failure:
        return _warn("recovery_sidecar_cleanup_failed", key, str(failure))
    return None


def encode_sidecar(sidecar: Sidecar) -> bytes:
    """Returns the file's bytes; nulls are kept."""
    return canonical_bytes(sidecar) + b"\n"


def pending_warnings(found: FoundSidecars) -> tuple[Diagnostic, ...]:
    """Returns what a command that only looks tells about sidecars: once for each file."""
    pending = (
        warning(
            "cluster_recovery_pending",
            sidecar_key(s.operation_id),
            f"an interrupted {s.kind} of {s.graph_id}, begun at {s.started_at}, is not settled yet",
            remedy="agentctl apply",
        )
        for s in found.sidecars
    )
    return (*pending, *found.diagnostics)


def _decode(key: str, data: bytes) -> Sidecar | Diagnostic:
    try:
        version = msgspec.json.decode(data, type=_Version).schema_version
        if version != 2:
            told = f"its schema_version is {version}; this release settles 2"
            return _warn("unsupported_recovery_sidecar_version", key, told)
        sidecar = msgspec.json.decode(data, type=Sidecar)
    except (msgspec.DecodeError, UnicodeError) as mistake:
        return _warn("invalid_recovery_sidecar", key, str(mistake))
    if sidecar_key(sidecar.operation_id) != key:
        return _warn("invalid_recovery_sidecar", key, "its operation_id is not its file's name")
    return sidecar


def _graph_named(data: bytes) -> str | None:
    """Returns the graph that an unknown sidecar names; None where that cannot be told either."""
    try:
        named = msgspec.json.decode(data, type=_Named).graph_id
    except (msgspec.DecodeError, UnicodeError):
        return None
    return named if is_resource_id(named) else None


def _warn(code: str, key: str, told: str) -> Diagnostic:
    return warning(
        code,
        key,
        f"recovery sidecar {key.removeprefix(PREFIX)}: {told}",
        detail="It tells of a step that may have moved a graph. Until it is settled, nothing is done"
        " to that graph, or to any where it does not tell which.",
        remedy=_REMEDIES[code],
    )
