"""Machines, and their command line, as values. Nothing is started here."""

import json
from pathlib import Path

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from agentctl.adapters.runners.vm.launch import GoldenImage, VmSettings, machine_commands
from agentctl.domain.sandbox.machines import (
    ImageStamp,
    Machine,
    MachineBounds,
    is_snapshot_ref,
    mac_address,
    machine_of,
    snapshot_ref,
)
from agentctl.domain.sandbox.provider import Creation

BOUNDS = MachineBounds()
STAMP = ImageStamp(size_bytes=1, modified_ns=2, inode=3)
SIZES = st.none() | st.integers(-5, 1 << 40)


def machine(creation: Creation, bounds: MachineBounds = BOUNDS) -> Machine:
    return machine_of(creation, bounds, base=STAMP, base_mb=100, random=b"\x01\x02\x03")


@given(SIZES, SIZES, SIZES)
def test_a_machine_is_within_its_bounds_whatever_is_asked_for(
    vcpus: int | None, memory: int | None, storage: int | None
) -> None:
    creation = Creation(
        id="a", name="a", source="s", vcpus=vcpus, memory_mb=memory, storage_mb=storage
    )

    made = machine(creation)

    assert 1 <= made.vcpus <= BOUNDS.vcpus_max
    assert BOUNDS.memory_mb_min <= made.memory_mb <= BOUNDS.memory_mb_max
    assert 100 <= made.storage_mb <= BOUNDS.storage_mb_max
    assert vcpus is None or made.vcpus == min(max(vcpus, 1), BOUNDS.vcpus_max)
    assert machine(creation) == made


def test_a_machine_of_which_nothing_is_asked_has_the_defaults() -> None:
    creation = Creation(id="a", name="a", source="s")

    made = machine(creation)

    assert (made.vcpus, made.memory_mb, made.storage_mb) == (2, 2048, 100)


@given(st.binary(min_size=3, max_size=3))
def test_an_address_is_one_of_qemus_range(random: bytes) -> None:
    assert mac_address(random) == f"52:54:00:{random.hex(':')}"


@given(st.text(max_size=70))
def test_a_reference_never_reads_as_a_number_or_a_path(name: str) -> None:
    ref = snapshot_ref(name)

    assert not is_snapshot_ref(name) or name.startswith("snapshot-")
    if ref is not None:
        assert is_snapshot_ref(ref)
        assert not ref.isdecimal()
        assert "/" not in ref


def test_a_machine_has_no_device_but_its_disk_and_its_lines_and_reads_its_golden_image() -> None:
    golden = GoldenImage(image=Path("/images/golden.qcow2"))

    (words,) = machine_commands(
        machine(Creation(id="a", name="a", source="s")), golden, VmSettings(accelerators=("tcg",))
    )

    devices = [words[i + 1].partition(",")[0] for i, w in enumerate(words) if w == "-device"]
    disk = json.loads(words[words.index("-blockdev") + 1])
    assert devices == ["virtio-serial-pci", "virtserialport", "virtio-blk-pci"]
    assert {"-nodefaults", "-no-user-config"} <= set(words)
    assert "-kernel" not in words
    assert not {"-netdev", "-nic", "-net"} & set(words)
    assert words[words.index("-sandbox") + 1].startswith("on,")
    assert disk["backing"] == {
        "driver": "qcow2",
        "read-only": True,
        "file": {"driver": "file", "filename": "/images/golden.qcow2", "read-only": True},
    }


def test_a_commas_in_a_path_stays_a_comma() -> None:
    golden = GoldenImage(image=Path("/a,readonly=off/b"))
    bounds = msgspec.structs.replace(BOUNDS, network="isolated")

    (kvm, tcg) = machine_commands(
        machine(Creation(id="a", name="a", source="s"), bounds), golden, VmSettings()
    )

    disk = json.loads(tcg[tcg.index("-blockdev") + 1])
    assert disk["backing"]["file"]["filename"] == "/a,readonly=off/b"
    assert "virtio-net-pci,netdev=nowhere,mac=52:54:00:01:02:03" in kvm
    assert [words[2] for words in (kvm, tcg)] == ["kvm", "tcg"]
