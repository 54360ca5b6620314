"""The words of qemu's command line for one machine. Pure.

A machine has a disk, a console whose last words qemu keeps in memory, a serial line to the agent and
a control socket; nothing else, unless a network card wired to nothing. Qemu itself runs with its
system-call filter. The golden image is opened for reading only, whatever is done to the machine.
"""

import json
from pathlib import Path
from typing import Final, Literal

import msgspec

from agentctl.domain.sandbox.machines import Machine, MachineBounds

AGENT_PORT: Final = "org.agentctl.agent"
"""How the guest finds the serial line."""
DISK_NODE: Final = "disk"
CONSOLE: Final = "console"
CONSOLE_BYTES: Final = 65_536
"""A power of two. What the console says is kept in memory, so that a guest fills no disk with it."""
DISK_FILE: Final = "disk.qcow2"
AGENT_SOCKET: Final = "agent.sock"
CONTROL_SOCKET: Final = "control.sock"
PID_FILE: Final = "machine.pid"
_FILTER: Final = "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"

ImageFormat = Literal["raw", "qcow2"]


class GoldenImage(msgspec.Struct, frozen=True, kw_only=True):
    """A source that sandboxes are copies of, as the operator configured it."""

    image: Path
    format: ImageFormat = "qcow2"
    """Never guessed: a guest that writes its own header would choose what the host opens."""
    kernel: Path | None = None
    """None where the disk boots by itself."""
    initrd: Path | None = None
    kernel_arguments: str = ""
    home: str = "/root"
    """The folder of the guest that commands start in."""


class VmSettings(msgspec.Struct, frozen=True, kw_only=True):
    """How the operator runs machines."""

    bounds: MachineBounds = MachineBounds()
    accelerators: tuple[str, ...] = ("kvm", "tcg")
    """Tried in order until qemu starts; `tcg` is qemu's own, which runs anywhere, and slowly."""
    processor: str = "max"
    """What the guest sees; `max` is all that the accelerator can do."""
    qemu: str = "qemu-system-x86_64"
    qemu_img: str = "qemu-img"
    boot_within_s: float = 120.0
    answer_within_s: float = 30.0
    """How long the agent may take beyond what it was asked to wait."""
    list_within_s: float = 600.0
    """How long the agent may take to list every file."""
    halt_within_s: float = 20.0
    """How long each way of switching a machine off is waited for."""
    busy_within_s: float = 60.0
    """How long a call waits for another one that works on the same machine."""


def machine_commands(
    machine: Machine, golden: GoldenImage, settings: VmSettings, *, over: Path | None = None
) -> tuple[tuple[str, ...], ...]:
    """Returns a command for each accelerator; it is to be run in the folder that holds the disk.

    Args:
        machine: which one.
        golden: what it is a copy of.
        settings: the operator's.
        over: the disk of a stopped machine, where this one is a copy of that to be thrown away.
    """
    words = _words(machine, golden, settings, over)
    return tuple(
        (settings.qemu, "-accel", accelerator, *words) for accelerator in settings.accelerators
    )


def _words(
    machine: Machine, golden: GoldenImage, settings: VmSettings, over: Path | None
) -> tuple[str, ...]:
    return (
        *("-name", f"agentctl-{machine.id}"),
        *("-machine", "pc,usb=off", "-cpu", settings.processor),
        *("-smp", str(machine.vcpus), "-m", str(machine.memory_mb)),
        *("-no-user-config", "-nodefaults", "-display", "none", "-no-reboot"),
        *("-sandbox", _FILTER, "-pidfile", PID_FILE),
        *_kernel_words(golden),
        *(
            "-chardev",
            f"ringbuf,id={CONSOLE},size={CONSOLE_BYTES}",
            "-serial",
            f"chardev:{CONSOLE}",
        ),
        *("-qmp", f"unix:{CONTROL_SOCKET},server=on,wait=off"),
        *("-device", "virtio-serial-pci"),
        *("-chardev", f"socket,id=agent,path={AGENT_SOCKET},server=on,wait=off"),
        *("-device", f"virtserialport,chardev=agent,name={AGENT_PORT}"),
        *("-blockdev", _disk(golden, over), "-device", f"virtio-blk-pci,drive={DISK_NODE}"),
        *_network_words(machine),
    )


def _kernel_words(golden: GoldenImage) -> tuple[str, ...]:
    if golden.kernel is None:
        return ()
    initrd = () if golden.initrd is None else ("-initrd", str(golden.initrd.absolute()))
    arguments = f"console=ttyS0 panic=-1 {golden.kernel_arguments}".strip()
    return ("-kernel", str(golden.kernel.absolute()), *initrd, "-append", arguments)


def _disk(golden: GoldenImage, over: Path | None) -> str:
    layer: dict[str, object] = {
        "driver": golden.format,
        "read-only": True,
        "file": {"driver": "file", "filename": str(golden.image.absolute()), "read-only": True},
    }
    if over is not None:
        file = {"driver": "file", "filename": str(over.absolute()), "read-only": True}
        layer = {"driver": "qcow2", "read-only": True, "file": file, "backing": layer}
    disk = {
        "driver": "qcow2",
        "node-name": DISK_NODE,
        "file": {"driver": "file", "filename": DISK_FILE},
        "backing": layer,
    }
    return json.dumps(disk, sort_keys=True)


def _network_words(machine: Machine) -> tuple[str, ...]:
    if machine.network == "none":
        return ()
    card = f"virtio-net-pci,netdev=nowhere,mac={machine.mac}"
    return ("-netdev", "hubport,id=nowhere,hubid=0", "-device", card)
