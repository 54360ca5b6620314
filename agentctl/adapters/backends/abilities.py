"""What a storage root can do and cannot, found by looking and never by writing."""

import os
from pathlib import Path
from typing import Final
from urllib.parse import unquote, urlsplit

from agentctl.adapters.backends.ability import Ability, Holds
from agentctl.adapters.backends.probe import is_proved
from agentctl.adapters.backends.s3_settings import root_of
from agentctl.domain.storage.protocol import BackendError, ObjectStore

FREE_BYTES_MIN: Final = 1 << 30
"""Less than this is told as little room."""
NETWORK_FILE_SYSTEMS: Final = frozenset(
    {"nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "fuse.sshfs", "afs", "ceph", "glusterfs"}
)
MOUNTS: Final = Path("/proc/self/mounts")
CLOCK_SKEW_MAX_S: Final = 60.0


async def abilities(store: ObjectStore, now_s: float) -> tuple[Ability, ...]:
    """Returns what the root of *store* can do; *now_s* is this machine's time since the epoch."""
    found = [await _create_only(store)]
    if store.uri.startswith("s3://"):
        from agentctl.adapters.backends.s3_features import s3_abilities

        return (*found, await _clock(store, now_s), *await s3_abilities(root_of(store.uri)))
    if store.uri.startswith("file://"):
        found += _disk(Path(unquote(urlsplit(store.uri).path)))
    return (*found, await _clock(store, now_s))


async def _create_only(store: ObjectStore) -> Ability:
    try:
        proved = await is_proved(store)
    except BackendError as failure:
        return Ability(name="create-only", holds="unknown", says=str(failure))
    if proved:
        return Ability(
            name="create-only",
            holds="yes",
            says="of two writers of one new object exactly one wins; proved from two connections",
        )
    return Ability(
        name="create-only",
        holds="unknown",
        says="not proved yet; `agentctl init` and `import` prove it before they begin",
    )


async def _clock(store: ObjectStore, now_s: float) -> Ability:
    try:
        told = await store.clock()
    except BackendError as failure:
        return Ability(name="clock", holds="unknown", says=str(failure))
    if told is None:
        says = "none of its own; what expires is judged by the clock of the machine that asks"
        return Ability(name="clock", holds="no", says=says)
    apart_s = abs(told.timestamp() - now_s)
    says = f"its own, {apart_s:.0f} s from this machine's; what expires is judged by it"
    holds: Holds = "yes" if apart_s <= CLOCK_SKEW_MAX_S else "no"
    return Ability(name="clock", holds=holds, says=says)


def _disk(root: Path) -> list[Ability]:
    there = next(p for p in (root, *root.parents) if p.exists())
    kind = file_system_of(there, _mounts())
    network = kind in NETWORK_FILE_SYSTEMS
    return [
        Ability(
            name="local",
            holds="no" if network else "yes" if kind else "unknown",
            says=f"{kind} is a network file system; its locks and its syncs are not what a disk's are"
            if network
            else f"file system {kind or 'of unknown kind'}",
        ),
        _room(there),
        Ability(
            name="versioning",
            holds="no",
            says="what is overwritten or deleted is gone; back up, or keep the root on S3",
        ),
        Ability(
            name="object lock",
            holds="no",
            says="whoever may write the root may delete its audit records",
        ),
    ]


def _room(there: Path) -> Ability:
    try:
        stat = os.statvfs(there)
    except OSError as failure:
        return Ability(name="room", holds="unknown", says=str(failure))
    free = stat.f_bavail * stat.f_frsize
    enough = free >= FREE_BYTES_MIN and (stat.f_files == 0 or stat.f_favail > 10_000)
    says = f"{free / (1 << 30):.1f} GiB and {stat.f_favail} files free"
    return Ability(name="room", holds="yes" if enough else "no", says=says)


def file_system_of(path: Path, mounts: str) -> str:
    """Returns the type of the file system that *path* is on, by the lines of a mount table."""
    best, kind = -1, ""
    for line in mounts.splitlines():
        words = line.split(" ")
        if len(words) < 3:
            continue
        place = Path(words[1].replace("\\040", " "))
        if path.is_relative_to(place) and len(place.parts) >= best:
            best, kind = len(place.parts), words[2]
    return kind


def _mounts() -> str:
    try:
        return MOUNTS.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
