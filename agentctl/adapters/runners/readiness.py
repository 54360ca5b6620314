"""Whether this host can carry the sandboxes of commands that its operator's profile offers.

Found by looking, and by running one program that does nothing; nothing is written. What is told names the
profile's sources and never where they lie: a server tells it to others.
"""

import os
import shutil
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Final

from agentctl.adapters.backends.ability import Ability, Holds
from agentctl.adapters.runners.bubblewrap import run_in_folder
from agentctl.adapters.runners.namespaces import RunLimits
from agentctl.domain.sandbox.provider import CommandOrder, ProviderError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from agentctl.adapters.runners.open import Runners
    from agentctl.domain.sandbox.host_profile import MachineSource

KVM: Final = Path("/dev/kvm")
TRIED_FOR: Final = timedelta(seconds=10)
_MACHINES_NEED: Final = (("qemu-system-x86_64", "qemu-system-x86"), ("qemu-img", "qemu-utils"))
"""Programs, and Debian's packages of them."""


async def readiness(runners: "Runners", *, kvm: Path = KVM) -> tuple[Ability, ...]:
    """Returns what this host has of that which its profile's sandboxes need, each with what to do."""
    found = [_folder(runners.root)]
    if runners.process is not None:
        found.append(await _bubblewrap())
    for name, folder in runners.profile.process.sources.items():
        found.append(_source(name, Path(folder)))
    if runners.profile.vm is None:
        says = "the profile names no source of machines, so there are none"
        return (*found, Ability(name="machines", holds="no", says=says))
    return (*found, *_programs(), _accelerator(kvm), *_images(runners.profile.vm.sources))


def _folder(root: Path) -> Ability:
    """Looks at the folder, or at where it would be made."""
    there = next(one for one in (root, *root.parents) if one.exists())
    if there.is_dir() and os.access(there, os.R_OK | os.W_OK | os.X_OK):
        return _ability("folder", "yes", "sandboxes can be made in the user's state folder")
    says = "the folder of sandboxes, $XDG_STATE_HOME/agentctl/commands, cannot be written"
    return _ability("folder", "no", f"{says}; give it to the user who runs agentctl")


async def _bubblewrap() -> Ability:
    """Runs a program that does nothing over a folder that is everywhere, which it only reads."""
    order = CommandOrder(argv=("true",), timeout=TRIED_FOR)
    try:
        ran = await run_in_folder(Path("/usr"), order, limits=RunLimits(), writable=False)
    except ProviderError as failure:
        told = failure.diagnostic
        says = told.message + (f"; {told.remedy}" if told.remedy else "")
        return _ability("bubblewrap", "no", says)
    except OSError as failure:
        return _ability("bubblewrap", "no", f"it does not start: {failure.strerror}")
    if ran.exit_code != 0:
        says = f"a program that does nothing ended with {ran.exit_code}"
        return _ability("bubblewrap", "no", says)
    return _ability("bubblewrap", "yes", "commands run in namespaces of their own")


def _source(name: str, folder: Path) -> Ability:
    if not folder.is_dir():
        return _ability(f"source {name}", "no", "there is no such folder; mend the profile")
    if not os.access(folder, os.R_OK | os.X_OK):
        return _ability(f"source {name}", "no", "its folder may not be read by this user")
    return _ability(f"source {name}", "yes", "its folder can be copied")


def _programs() -> Iterator[Ability]:
    for program, package in _MACHINES_NEED:
        if shutil.which(program) is not None:
            yield _ability(program, "yes", "it is installed")
        else:
            yield _ability(program, "no", f"it is not installed; apt-get install {package}")


def _accelerator(kvm: Path) -> Ability:
    if os.access(kvm, os.R_OK | os.W_OK):
        return _ability("kvm", "yes", "machines run at the processor's speed")
    why = "this user may not use it" if kvm.exists() else "this host has none"
    return _ability("kvm", "no", f"{why}; machines run without it, and slowly")


def _images(sources: "Mapping[str, MachineSource]") -> Iterator[Ability]:
    for name, source in sources.items():
        files = {"image": source.image, "kernel": source.kernel, "initrd": source.initrd}
        missing = [
            kind
            for kind, path in files.items()
            if path is not None and not (Path(path).is_file() and os.access(path, os.R_OK))
        ]
        if missing:
            says = f"its {' and its '.join(missing)} cannot be read; mend the profile"
            yield _ability(f"machine source {name}", "no", says)
        else:
            yield _ability(f"machine source {name}", "yes", "its files can be read")


def _ability(name: str, holds: Holds, says: str) -> Ability:
    return Ability(name=name, holds=holds, says=says)
