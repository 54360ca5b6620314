"""The providers of commands that this host offers, opened as its operator's profile says."""

import os
import shutil
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

import msgspec

from agentctl.adapters.runners.file_trees import Before, no_step
from agentctl.adapters.runners.process_provider import ProcessProvider
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.host_profile import (
    CODE,
    FOLDER,
    HostProfile,
    VmSection,
    read_host_profile,
)
from agentctl.domain.sandbox.hosts import Needs
from agentctl.domain.sandbox.provider import ProviderName, SandboxProvider

if TYPE_CHECKING:
    from agentctl.adapters.runners.vm.launch import VmSettings
    from agentctl.adapters.runners.vm.provider import VmProvider

PROFILE_BYTES_MAX: Final = 1 << 16
NO_AUTHORITY: Final = "none"
"""Stands for the fingerprint of an authority where the operator named none."""
_MEBIBYTE: Final = 1 << 20


class Runners(msgspec.Struct, frozen=True, kw_only=True):
    """What this host runs commands in."""

    root: Path
    """Where the folders of the providers are, each under its name."""
    profile: HostProfile
    vm: "VmProvider | None" = None
    process: ProcessProvider | None = None
    authority: str = NO_AUTHORITY
    """The fingerprint of the authority that machines are prepared for."""
    before: Before = no_step

    def provider(self, name: ProviderName) -> SandboxProvider | None:
        """Returns a provider; None where this host offers it not."""
        return {"process": self.process, "vm": self.vm}.get(name)

    def copying(self, source: str, folder: Path) -> ProcessProvider:
        """Returns the provider `process` with one source more, which is there for a moment."""
        return _process(self.root, {source: folder}, self.before)

    def sources(self, name: ProviderName) -> tuple[str, ...]:
        """Returns the names of what a provider makes sandboxes from."""
        if name == "vm":
            return tuple(self.profile.vm.sources) if self.profile.vm is not None else ()
        own = (FOLDER,) if self.profile.process.folder else ()
        return (*own, *self.profile.process.sources)

    def folder_of(self, source: str) -> Path:
        """Returns where a source of `process` lies that the operator named."""
        return Path(self.profile.process.sources[source])

    def totals(self) -> Needs:
        """Returns what of this host may be promised altogether."""
        asked = self.profile.host
        there = next(one for one in (self.root, *self.root.parents) if one.exists())
        memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // _MEBIBYTE
        storage = shutil.disk_usage(there).total // _MEBIBYTE
        return Needs(
            vcpus=asked.cpus or os.cpu_count() or 1,
            memory_mb=asked.memory_mb or memory,
            storage_mb=asked.storage_mb or storage,
        )


OpenRunners = Callable[[], Runners | tuple[Diagnostic, ...]]


def open_runners(
    profile: Path,
    root: Path,
    *,
    before: Before = no_step,
    settings: "VmSettings | None" = None,
) -> Runners | tuple[Diagnostic, ...]:
    """Returns what the operator's *profile* offers, or what is wrong with it.

    Args:
        profile: the file; where there is none, the cluster's configuration alone is offered.
        root: of the providers' folders, on a local disk.
        before: told of each step of the provider `process`; for tests.
        settings: how machines are run, where not as usual.
    """
    try:
        with profile.open("rb") as file:
            data = file.read(PROFILE_BYTES_MAX + 1)
    except FileNotFoundError:
        data = b""
    except OSError as failure:
        return (error(CODE, str(profile), f"the profile cannot be read: {failure.strerror}"),)
    if len(data) > PROFILE_BYTES_MAX:
        message = f"the profile is longer than {PROFILE_BYTES_MAX} bytes"
        return (error(CODE, str(profile), message),)
    found = read_host_profile(data, file=str(profile))
    if not isinstance(found, HostProfile):
        return found
    authority = _fingerprint(found.vm, profile)
    if isinstance(authority, Diagnostic):
        return (authority,)
    sources = {name: Path(path) for name, path in found.process.sources.items()}
    is_offered = bool(sources) or found.process.folder
    return Runners(
        root=root,
        profile=found,
        process=_process(root, sources, before) if is_offered else None,
        vm=_machines(root, found.vm, settings) if found.vm is not None else None,
        authority=authority,
        before=before,
    )


def _process(root: Path, sources: Mapping[str, Path], before: Before) -> ProcessProvider:
    return ProcessProvider(root / "process", sources=sources, before=before)


def _machines(root: Path, section: VmSection, settings: "VmSettings | None") -> "VmProvider":
    from agentctl.adapters.runners.vm.launch import GoldenImage, VmSettings
    from agentctl.adapters.runners.vm.provider import VmProvider

    sources = {
        name: GoldenImage(
            image=Path(one.image),
            format=one.format,
            kernel=Path(one.kernel) if one.kernel is not None else None,
            initrd=Path(one.initrd) if one.initrd is not None else None,
            kernel_arguments=one.kernel_arguments,
            home=one.home,
        )
        for name, one in section.sources.items()
    }
    usual = settings or VmSettings()
    bounds = usual.bounds
    bounds = msgspec.structs.replace(
        bounds,
        vcpus_max=section.vcpus_max,
        vcpus_default=min(bounds.vcpus_default, section.vcpus_max),
        memory_mb_max=section.memory_mb_max,
        memory_mb_default=min(bounds.memory_mb_default, section.memory_mb_max),
        storage_mb_max=section.storage_mb_max,
    )
    chosen = msgspec.structs.replace(usual, bounds=bounds)
    return VmProvider(root / "vm", sources=sources, settings=chosen)


def _fingerprint(section: VmSection | None, profile: Path) -> str | Diagnostic:
    if section is None or section.authority is None:
        return NO_AUTHORITY
    from agentctl.adapters.runners.vm.authority import fingerprint_of
    from agentctl.domain.policy.public_key import parse_public

    try:
        public = Path(section.authority).read_text(encoding="ascii").strip()
    except (OSError, UnicodeDecodeError):
        public = ""
    if parse_public(public) is None:
        message = "vm.authority of the section sandboxes is no file that holds a public key"
        return error(CODE, str(profile), message)
    return fingerprint_of(public)
