"""What a guest's file system held at a snapshot, and what changed between two. Pure.

The agent lists it (`agent.sh`, list_files): of each file its mode and the digest of its content, of a
link where it leads. Folders are not listed, times and owners are not kept. Packages are those that
dpkg has installed, where the guest has it.
"""

import base64
import re
import stat
from collections.abc import Iterable, Mapping
from typing import Final

import msgspec

from agentctl.adapters.runners.file_trees import shown
from agentctl.domain.sandbox.difference import ChangeDiff, PackageChange, PackageInfo

_LINE: Final = re.compile(
    rb"mode (?P<mode>[0-9a-f]{1,8}) (?P<m>.+)"
    rb"|file (?P<digest>[0-9a-f]{64})  (?P<f>.+)"
    rb"|link (?P<target>[A-Za-z0-9+/=]*) (?P<l>.+)"
    rb"|odd (?P<oddmode>[0-9a-f]{1,8}) (?P<oddwhat>-|[0-9a-f]{64}) (?P<o>[A-Za-z0-9+/=]+)"
)


class ListingError(Exception):
    """The guest listed something that is no list."""


class Listing(msgspec.Struct, frozen=True, kw_only=True):
    """A list, as it is kept beside a snapshot."""

    files: Mapping[str, str]
    """By path, as `file_trees.shown` writes it: mode and content in one text, compared as a whole."""
    packages: Mapping[str, str]
    """Versions by name and architecture, as ``libc6:amd64``."""


def read_listing(files: bytes, packages: bytes) -> Listing:
    """Returns the list.

    Raises:
        ListingError: A line is none of a list.
    """
    modes: dict[bytes, str] = {}
    contents: dict[bytes, str] = {}
    for line in files.split(b"\n"):
        if line:
            _take_line(line, modes, contents)
    held = {shown(path): f"{modes[path]} {contents.get(path, '-')}" for path in modes}
    return Listing(files=held, packages=_packages(packages.decode(errors="replace")))


def difference(before: Listing, after: Listing) -> ChangeDiff:
    """Returns what changed, each list sorted; nothing between equal lists."""
    old, new = before.files, after.files
    was, now = before.packages, after.packages
    both = sorted(was.keys() & now.keys())
    return ChangeDiff(
        files_added=tuple(sorted(new.keys() - old.keys())),
        files_modified=tuple(sorted(p for p in new.keys() & old.keys() if new[p] != old[p])),
        files_removed=tuple(sorted(old.keys() - new.keys())),
        packages_added=_infos(now, now.keys() - was.keys()),
        packages_changed=tuple(
            PackageChange(name=name, before=was[name], after=now[name])
            for name in both
            if was[name] != now[name]
        ),
        packages_removed=_infos(was, was.keys() - now.keys()),
    )


def _take_line(line: bytes, modes: dict[bytes, str], contents: dict[bytes, str]) -> None:
    found = _LINE.fullmatch(line)
    if found is None:
        msg = "a line of the list of files is none"
        raise ListingError(msg)
    if found["m"]:
        modes[found["m"]] = _mode(found["mode"])
    elif found["f"]:
        contents[found["f"]] = found["digest"].decode()
    elif found["l"]:
        contents[found["l"]] = "-> " + found["target"].decode()
    else:
        path = base64.b64decode(found["o"])
        modes[path] = _mode(found["oddmode"])
        contents[path] = found["oddwhat"].decode()


def _mode(text: bytes) -> str:
    return stat.filemode(int(text, 16))


def _packages(text: str) -> Mapping[str, str]:
    """Returns what dpkg has installed. Source: dpkg, deb822(5)."""
    found: dict[str, str] = {}
    for paragraph in text.split("\n\n"):
        fields = dict(line.split(": ", 1) for line in paragraph.splitlines() if ": " in line)
        installed = fields.get("Status", "").endswith(" installed")
        if "Package" in fields and "Version" in fields and installed:
            name = ":".join((fields["Package"], *filter(None, (fields.get("Architecture"),))))
            found[name] = fields["Version"]
    return found


def _infos(packages: Mapping[str, str], names: Iterable[str]) -> tuple[PackageInfo, ...]:
    return tuple(PackageInfo(name=name, version=packages[name]) for name in sorted(names))
