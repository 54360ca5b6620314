"""What a host offers to sandboxes of commands: the section `sandboxes` of its operator's profile. Pure.

It is the operator's, who runs agentctl, and never a folder's: a folder that somebody sent must not
choose what of the host is copied, or how much of it is promised. Source: sandboxes 4, Provider.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any, Final, Literal

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.diagnostics.span import Span
from agentctl.domain.config.yaml_tree import ListNode, MapNode, Node, ScalarNode, parse_yaml

CODE: Final = "sandbox_profile_invalid"
SECTION: Final = "sandboxes"
FOLDER: Final = "folder"
"""The source that is the cluster's own configuration."""
_NAME: Final = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)
_INTEGER: Final = re.compile(r"-?[0-9]{1,15}")
_WORDS: Final[Mapping[str, object]] = {
    "true": True,
    "false": False,
    "null": None,
    "~": None,
    "": None,
}
_AT: Final = re.compile(r" - at `\$(?P<path>[^`]*)`$")
_REMEDY: Final = "agentctl explain sandbox_profile_invalid"

Megabytes = Annotated[int, msgspec.Meta(ge=1, le=1 << 40)]
Processors = Annotated[int, msgspec.Meta(ge=1, le=1 << 16)]


class ProcessSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sandboxes of files, in which commands run in namespaces."""

    sources: Mapping[str, str] = msgspec.field(default_factory=dict)
    """Folders of this host by the names that callers use, as whole paths."""
    folder: bool = True
    """Whether the cluster's own configuration is a source too, or that of a sandbox."""


class MachineSource(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A golden image."""

    image: str
    format: Literal["raw", "qcow2"] = "qcow2"
    """Said, and never guessed."""
    kernel: str | None = None
    """None where the disk boots by itself."""
    initrd: str | None = None
    kernel_arguments: str = ""
    home: str = "/root"
    """The folder of the guest that commands start in."""


class VmSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Sandboxes that are virtual machines."""

    sources: Mapping[str, MachineSource]
    vcpus_max: Processors = 4
    memory_mb_max: Annotated[int, msgspec.Meta(ge=128, le=1 << 30)] = 4096
    storage_mb_max: Megabytes = 64 * 1024
    authority: str | None = None
    """The public key of the authority of certificates that sources are prepared for."""


class HostSection(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How much of the host may be promised; None for all that it has."""

    cpus: Processors | None = None
    memory_mb: Megabytes | None = None
    storage_mb: Megabytes | None = None


class HostProfile(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The section; where there is none, the cluster's configuration alone is offered."""

    process: ProcessSection = ProcessSection()
    vm: VmSection | None = None
    host: HostSection = HostSection()


def read_host_profile(data: bytes, *, file: str) -> HostProfile | tuple[Diagnostic, ...]:
    """Returns what a profile's text says of sandboxes, or what is wrong with that, with its places."""
    document = parse_yaml(data, file=file, code=CODE)
    if has_errors(document.diagnostics):
        return document.diagnostics
    section = _child(document.root, SECTION)
    if section is None:
        return HostProfile()
    try:
        profile = msgspec.convert(_plain(section), HostProfile)
    except msgspec.ValidationError as invalid:
        return (_told(section, str(invalid), file),)
    faults = [*_process_faults(profile.process), *_vm_faults(profile.vm)]
    if faults:
        return tuple(_error(_nearest(section, path), why, file) for path, why in faults)
    return profile


def _process_faults(section: ProcessSection) -> list[tuple[tuple[str, ...], str]]:
    found: list[tuple[tuple[str, ...], str]] = []
    for name, folder in section.sources.items():
        at = ("process", "sources", name)
        if not _NAME.fullmatch(name) or name == FOLDER:
            found.append((at, f"{name!a:.80} cannot be the name of a source"))
        if not folder.startswith("/"):
            found.append((at, "a source is named by its whole path"))
    return found


def _vm_faults(section: VmSection | None) -> list[tuple[tuple[str, ...], str]]:
    if section is None:
        return []
    found: list[tuple[tuple[str, ...], str]] = []
    if section.authority is not None and not section.authority.startswith("/"):
        found.append((("vm", "authority"), "the key is named by its whole path"))
    for name, source in section.sources.items():
        at = ("vm", "sources", name)
        if not _NAME.fullmatch(name):
            found.append((at, f"{name!a:.80} cannot be the name of a source"))
        for field in ("image", "kernel", "initrd", "home"):
            value = getattr(source, field)
            if value is not None and not value.startswith("/"):
                found.append(((*at, field), f"{field} is a whole path"))
    return found


def _child(node: Node | None, name: str) -> Node | None:
    if not isinstance(node, MapNode):
        return None
    return next((entry.value for entry in node.entries if entry.key.text == name), None)


def _nearest(node: Node, path: tuple[str, ...]) -> Span:
    """Returns where the last part of *path* is that is written at all."""
    for name in path:
        below = _child(node, name)
        if below is None:
            break
        node = below
    return node.where


def _told(section: Node, said: str, file: str) -> Diagnostic:
    at = _AT.search(said)
    path = at["path"].partition("[")[0].strip(".") if at is not None else ""
    return _error(_nearest(section, tuple(filter(None, path.split(".")))), _AT.sub("", said), file)


def _error(where: Span, why: str, file: str) -> Diagnostic:
    message = f"the section {SECTION} of the profile cannot be used: {why}"
    return error(CODE, file, message, where=where, remedy=_REMEDY)


def _plain(node: Node) -> Any:  # noqa: ANN401  # a YAML value
    """Returns the value of a tree: of plain scalars, numbers and the words of YAML's core."""
    match node:
        case MapNode():
            return {entry.key.text: _plain(entry.value) for entry in node.entries}
        case ListNode():
            return [_plain(item) for item in node.items]
        case ScalarNode(plain=True, text=text) if text.lower() in _WORDS:
            return _WORDS[text.lower()]
        case ScalarNode(plain=True, text=text) if _INTEGER.fullmatch(text):
            return int(text)
        case ScalarNode():
            return node.text
