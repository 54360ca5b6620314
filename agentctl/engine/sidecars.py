"""Recovery sidecars on storage: the written intents of graph-moving steps. Source: control-plane 1.5, 3.5."""

from typing import Final

import msgspec

from agentctl.canonical import canonical_bytes
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.ledger.sidecar import Sidecar
from agentctl.domain.storage.protocol import BackendError, ObjectStore

PREFIX: Final = "__cluster/recoveries/"


class FoundSidecars(msgspec.Struct, frozen=True, kw_only=True):
    """What lies under the recoveries."""

    sidecars: tuple[Sidecar, ...]
    """In order of their names."""
    diagnostics: tuple[Diagnostic, ...]
    """A warning for each that could not be understood; such a file is left alone."""


class _Version(msgspec.Struct, frozen=True, kw_only=True):
    schema_version: int


def sidecar_key(operation_id: str) -> str:
    """Returns where the sidecar of that name lies."""
    return f"{PREFIX}{operation_id}.json"


async def read_sidecars(store: ObjectStore) -> FoundSidecars:
    """Returns every sidecar, in order of names, and what is wrong with the rest."""
    sidecars: list[Sidecar] = []
    found: list[Diagnostic] = []
    for key in await store.list(PREFIX):
        try:
            stored = await store.read(key)
        except BackendError as failure:
            found.append(_warn("recovery_sidecar_read_error", key, str(failure)))
            continue
        if stored is None:
            continue
        decoded = _decode(key, stored.data)
        if isinstance(decoded, Sidecar):
            sidecars.append(decoded)
        else:
            found.append(decoded)
    return FoundSidecars(sidecars=tuple(sidecars), diagnostics=tuple(found))


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
    except msgspec.DecodeError as mistake:
        return _warn("invalid_recovery_sidecar", key, str(mistake))
    if sidecar_key(sidecar.operation_id) != key:
        return _warn("invalid_recovery_sidecar", key, "its operation_id is not its file's name")
    return sidecar


def _warn(code: str, key: str, told: str) -> Diagnostic:
    return warning(code, key, f"recovery sidecar {key.removeprefix(PREFIX)}: {told}")
