"""What a virtual machine of a sandbox is: its sizes within bounds, its address, its snapshots. Pure.

A machine is a copy of a golden image: one disk that holds what differs. Sizes that are asked for
are moved into the operator's bounds, and never refused. Source: sandboxes 1, create.
"""

import re
from typing import Final, Literal

import msgspec

from agentctl.domain.sandbox.provider import Creation

MAC_PREFIX: Final = "52:54:00"
"""Of addresses that qemu's machines have; the rest is random."""
MAC_RANDOM_BYTES: Final = 3
MEBIBYTE: Final = 1 << 20
_SNAPSHOT_NAME: Final = re.compile(r"[A-Za-z0-9._-]{1,64}", re.ASCII)
_SNAPSHOT_PREFIX: Final = "snapshot-"

Network = Literal["none", "isolated"]


class MachineBounds(msgspec.Struct, frozen=True, kw_only=True):
    """What a machine may have, and has where nothing is asked for."""

    vcpus_default: int = 2
    vcpus_max: int = 4
    memory_mb_default: int = 2048
    memory_mb_min: int = 128
    memory_mb_max: int = 4096
    storage_mb_max: int = 64 * 1024
    network: Network = "none"
    """``isolated`` gives a machine a network card that is wired to nothing."""

    def __post_init__(self) -> None:
        assert 1 <= self.vcpus_default <= self.vcpus_max
        assert 0 < self.memory_mb_min <= self.memory_mb_default <= self.memory_mb_max


class ImageStamp(msgspec.Struct, frozen=True, kw_only=True):
    """By what one sees that a golden image is still the file that it was, without reading it."""

    size_bytes: int
    modified_ns: int
    inode: int


class Machine(msgspec.Struct, frozen=True, kw_only=True):
    """One machine, as its record has it; the record is written last when it is made."""

    version: Literal[1] = 1
    id: str
    name: str
    source: str
    vcpus: int
    memory_mb: int
    storage_mb: int
    """The size of its disk as the guest sees it."""
    network: Network
    mac: str
    base: ImageStamp


def machine_of(
    creation: Creation, bounds: MachineBounds, *, base: ImageStamp, base_mb: int, random: bytes
) -> Machine:
    """Returns the machine that *creation* asks for, within *bounds*.

    Args:
        creation: what was asked.
        bounds: what a machine may have.
        base: the stamp of the golden image.
        base_mb: the size of the golden disk as a guest sees it; no machine's disk is smaller.
        random: three bytes that nobody has guessed, for the address.
    """
    vcpus = creation.vcpus if creation.vcpus is not None else bounds.vcpus_default
    memory = creation.memory_mb if creation.memory_mb is not None else bounds.memory_mb_default
    storage = min(creation.storage_mb or 0, bounds.storage_mb_max)
    return Machine(
        id=creation.id,
        name=creation.name,
        source=creation.source,
        vcpus=min(max(vcpus, 1), bounds.vcpus_max),
        memory_mb=min(max(memory, bounds.memory_mb_min), bounds.memory_mb_max),
        storage_mb=max(storage, base_mb),
        network=bounds.network,
        mac=mac_address(random),
        base=base,
    )


def mac_address(random: bytes) -> str:
    """Returns a network address of qemu's range."""
    assert len(random) == MAC_RANDOM_BYTES
    return ":".join((MAC_PREFIX, *(f"{byte:02x}" for byte in random)))


def snapshot_ref(name: str) -> str | None:
    """Returns how the disk calls the snapshot *name*, None where that is no name of one.

    The prefix matters: where a name is all digits, qemu takes it for the number of a snapshot first.
    """
    return _SNAPSHOT_PREFIX + name if _SNAPSHOT_NAME.fullmatch(name) else None


def is_snapshot_ref(ref: str) -> bool:
    """Returns whether *ref* has the form that `snapshot_ref` gives."""
    return (
        ref.startswith(_SNAPSHOT_PREFIX)
        and snapshot_ref(ref.removeprefix(_SNAPSHOT_PREFIX)) is not None
    )
