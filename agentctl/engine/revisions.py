"""Earlier revisions as what is wanted again: the source that the catalog kept, as it had been applied.

A revision is what its ledger object records, and its source is what the folder wanted then. The two
differ where something waited or failed: a file is then taken in the content that was in force, and
what was declared and not applied is left out. Nothing here is told twice: warnings about the files
were told when they were applied.
"""

from collections.abc import Mapping
from typing import Final

import msgspec

from agentctl.canonical import sha256_hex
from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.config.cluster_file import parse_config
from agentctl.domain.config.load import LoadedCluster, resolve
from agentctl.domain.config.model import DesiredCluster, Move
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.domain.config.snapshot import FolderSnapshot, Wanted, is_query_name
from agentctl.domain.config.wanting import wanted
from agentctl.domain.ledger.renaming import renamed_since
from agentctl.domain.ledger.state import State
from agentctl.domain.ops.trimming import left_out, only
from agentctl.domain.policy.bundles import check_cedar
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.catalog import Catalog, file_key, payload_key
from agentctl.engine.ledger import Head, Ledger
from agentctl.ids import Address

REVISION_PREFIX: Final = "revision:"
BEFORE: Final = "@"
EMPTY: Final = b"version: 1\n"
"""What a cluster declares that has applied nothing yet."""
SEQ_DIGITS_MAX: Final = 20
LISTED_MAX: Final = 20


class RollbackOf(msgspec.Struct, frozen=True, kw_only=True):
    """What a rollback undoes."""

    seq: int
    """The ledger object that is reached again."""
    op: str | None
    """The op that is undone by name: the first above `seq` that moved anything."""
    with_data: bool = False
    """Whether graphs go back too, to what they held before `op`."""

    @property
    def target(self) -> str:
        """How a plan names it."""
        return revision_target(self.seq, data_before=self.op if self.with_data else None)


class Revision(msgspec.Struct, frozen=True, kw_only=True):
    """An earlier revision, as far as it can be wanted again."""

    desired: DesiredCluster | None
    """None exactly where the diagnostics have an error."""
    diagnostics: tuple[Diagnostic, ...] = ()


def revision_target(seq: int, *, data_before: str | None = None) -> str:
    """Returns how a plan names a revision as its target.

    With *data_before* the graphs go back too, to what they held before that op.
    """
    beside = "" if data_before is None else f"{BEFORE}{data_before}"
    return f"{REVISION_PREFIX}{seq}{beside}"


def revision_of(target: str) -> int | None:
    """Returns the ledger object that a target names; None for the folder and for drafts."""
    digits = target.removeprefix(REVISION_PREFIX).partition(BEFORE)[0]
    if not target.startswith(REVISION_PREFIX) or not digits.isascii() or not digits.isdigit():
        return None
    return int(digits) if len(digits) <= SEQ_DIGITS_MAX else None


def data_before(target: str) -> str | None:
    """Returns the op before which the data is wanted that a target names; None for definitions alone."""
    return target.partition(BEFORE)[2] or None if revision_of(target) is not None else None


async def load_revision(store: ObjectStore, ledger: Ledger, seq: int) -> Revision:
    """Returns what ledger object *seq* had in force, as a desired state.

    Raises:
        LedgerUnreadableError: the object cannot be understood.
        BackendError: the store failed.
    """
    head = await ledger.at(seq)
    if head is None:
        return _refused(
            "revision_not_found",
            seq,
            f"the ledger has no object {seq} (any more)",
            remedy="agentctl ops log --graph",
        )
    files = await _source(Catalog(store), head)
    if files is None:
        return _refused(
            "revision_source_missing",
            seq,
            f"the source of ledger object {seq} is not whole in the catalog",
            remedy="Roll back to another revision, or apply a folder that holds these files.",
        )
    state = head.envelope.state
    loaded = _resolved(files)
    if loaded.desired is not None:
        in_force = await _files_in_force(store, loaded.desired, state)
        loaded = _resolved({**files, **in_force}) if in_force else loaded
    if loaded.desired is None:
        return _unresolved(seq, loaded)
    desired = only(loaded.desired, _kept(loaded.desired, state))
    newest = await ledger.head()
    if newest is not None:
        desired = _moved_back(desired, state, newest.envelope.state)
    return Revision(desired=desired, diagnostics=_differences(seq, desired, state))


async def _source(catalog: Catalog, head: Head) -> Mapping[str, bytes] | None:
    source = head.envelope.source
    if source is not None:
        return await catalog.source_files(source.digest)
    return None if head.envelope.state.applied_revision.resources else {CLUSTER_FILE: EMPTY}


def _resolved(files: Mapping[str, bytes]) -> LoadedCluster:
    parsed = parse_config(files.get(CLUSTER_FILE, b""))
    names = wanted(parsed)
    snapshot = FolderSnapshot(
        files=files, listings=_listings(names, files), folders=frozenset(names.folders)
    )
    return resolve(parsed, snapshot, check_cedar=check_cedar)


def _listings(names: Wanted, files: Mapping[str, bytes]) -> dict[str, tuple[str, ...] | None]:
    listed: dict[str, tuple[str, ...] | None] = {}
    for folder in names.directories:
        prefix = "" if folder == "." else f"{folder}/"
        inside = (p.removeprefix(prefix) for p in files if p.startswith(prefix))
        found = tuple(sorted(n for n in inside if "/" not in n and is_query_name(n)))
        listed[folder] = None if folder in files else found
    return listed


async def _files_in_force(
    store: ObjectStore, desired: DesiredCluster, state: State
) -> dict[str, bytes]:
    """Returns the files whose content in force was another than the source's, by path."""
    found: dict[str, bytes] = {}
    recorded = state.applied_revision.resources
    for resource in desired.resources:
        applied = recorded.get(resource.address)
        if applied is None or applied.digest == resource.digest or resource.path is None:
            continue
        for key in (file_key(applied.digest), payload_key(resource.address, applied.digest)):
            stored = await store.read(key) if key is not None else None
            if stored is not None and sha256_hex(stored.data) == applied.digest:
                found[resource.path] = stored.data
                break
    return found


def _kept(desired: DesiredCluster, state: State) -> frozenset[str]:
    """Returns what was in force: what is recorded, and what had only lost its payload or its root."""
    lost = {a for a, s in state.resource_statuses.items() if s.status in {"drifted", "error"}}
    recorded = state.applied_revision.resources.keys() | lost
    return frozenset(r.address for r in desired.resources if r.address in recorded)


def _moved_back(desired: DesiredCluster, then: State, now: State) -> DesiredCluster:
    """Returns *desired* with what has another name today moved back to its own, data and all."""
    wanted = desired.resource_digests
    moves = [
        Move(source=Address(new), target=Address(old))
        for new, old in renamed_since(then, now).items()
        if old in wanted and new not in wanted
    ]
    return msgspec.structs.replace(desired, moved=tuple(moves))


def _differences(seq: int, desired: DesiredCluster, state: State) -> tuple[Diagnostic, ...]:
    """Returns a warning about what was in force and cannot be wanted again from this source."""
    recorded = {a: r.digest for a, r in state.applied_revision.resources.items()}
    differing = left_out(desired, recorded)
    if not differing:
        return ()
    more = len(differing) - LISTED_MAX
    listed = "\n".join(differing[:LISTED_MAX]) + (f"\nand {more} more" if more > 0 else "")
    return (
        warning(
            "revision_incomplete",
            f"{REVISION_PREFIX}{seq}",
            f"the source of ledger object {seq} does not give all that was in force then",
            detail=listed,
            remedy="Look at the plan: what is listed becomes what the source says, or goes.",
        ),
    )


def _unresolved(seq: int, loaded: LoadedCluster) -> Revision:
    faults = [d for d in loaded.diagnostics if d.severity == "error"]
    assert has_errors(faults), "what does not resolve says why"
    detail = "\n".join(f"{d.code}: {d.path}: {d.message}" for d in faults[:LISTED_MAX])
    told = error(
        "revision_source_missing",
        f"{REVISION_PREFIX}{seq}",
        f"this release does not read the source of ledger object {seq}",
        detail=detail,
        remedy="Roll back to another revision, or use the release that applied it.",
    )
    return Revision(desired=None, diagnostics=(told,))


def _refused(code: str, seq: int, message: str, *, remedy: str) -> Revision:
    told = error(code, f"{REVISION_PREFIX}{seq}", message, remedy=remedy)
    return Revision(desired=None, diagnostics=(told,))
