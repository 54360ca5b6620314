"""The machine's own Python environment as rows of the demo's graphs, through `importlib.metadata`."""

import re
from collections.abc import Iterator
from importlib.metadata import Distribution, distributions
from typing import Final

import msgspec

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA: Final = re.compile(r"extra\s*==\s*['\"]([^'\"]+)['\"]")
_AUTHOR: Final = re.compile(r'\s*"?([^"<,]+?)"?\s*(?:<[^>]*>)?\s*(?:,|$)')
LICENSE_CHARACTERS_MAX: Final = 80
"""Some packages put the whole text of a license where its name belongs."""


def normalised(name: str) -> str:
    """Returns the one spelling of a package's name. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


class Requirement(msgspec.Struct, frozen=True, kw_only=True):
    """One dependency of a package, as its metadata states it."""

    name: str
    specifier: str
    marker: str | None
    extra: str | None


def parse_requirement(text: str) -> Requirement | None:
    """Returns the parts of a requirement line, or None where it names nothing. Source: PEP 508."""
    head, _, marker = text.partition(";")
    name = _NAME.match(head.strip())
    if name is None:
        return None
    extra = _EXTRA.search(marker)
    return Requirement(
        name=normalised(name[0]),
        specifier=head.strip()[name.end() :].strip(),
        marker=marker.strip() or None,
        extra=extra[1] if extra else None,
    )


def installed() -> dict[str, Distribution]:
    """Returns every installed distribution by its normalised name; the first on the path wins."""
    found: dict[str, Distribution] = {}
    for distribution in distributions():
        name = distribution.metadata["Name"]
        if name:
            found.setdefault(normalised(name), distribution)
    return dict(sorted(found.items()))


def supply_lines() -> list[bytes]:
    """Returns the rows of graph `supply`: nodes first, then edges."""
    packages = installed()
    nodes: dict[tuple[str, str], dict[str, object]] = {}
    edges: list[dict[str, object]] = []
    for name, distribution in packages.items():
        nodes["Package", name] = _package(name, distribution)
        for kind, edge, other in _relations(distribution):
            nodes.setdefault((kind, other), {"name": other})
            edges.append({"edge": edge, "from": name, "to": other, "data": {}})
        for requirement in _requirements(distribution):
            nodes.setdefault(
                ("Package", requirement.name), {"name": requirement.name, "installed": False}
            )
            edges.append(_depends_on(name, requirement))
    rows = [{"type": kind, "data": data} for (kind, _), data in nodes.items()]
    return [msgspec.json.encode(row) for row in [*rows, *edges]]


def module_lines() -> list[bytes]:
    """Returns the rows of graph `modules`: every importable top-level name and who brings it."""
    owners: dict[str, str] = {}
    for name, distribution in installed().items():
        for module in (distribution.read_text("top_level.txt") or "").split():
            owners.setdefault(module, name)
    owners.setdefault("sys", "python")
    return [
        msgspec.json.encode({"type": "Module", "data": {"name": module, "brought_by": owner}})
        for module, owner in sorted(owners.items())
    ]


def most_needed() -> str:
    """Returns the installed package on which most others depend; ties go to the first by name."""
    packages = installed()
    needed = dict.fromkeys(packages, 0)
    for distribution in packages.values():
        for requirement in _requirements(distribution):
            if requirement.name in needed and requirement.extra is None:
                needed[requirement.name] += 1
    return max(needed, key=lambda name: (needed[name], [-ord(c) for c in name]))


def _package(name: str, distribution: Distribution) -> dict[str, object]:
    row: dict[str, object] = {"name": name, "installed": True, "version": distribution.version}
    summary = distribution.metadata["Summary"]
    return row | ({"summary": summary} if summary else {})


def _requirements(distribution: Distribution) -> list[Requirement]:
    parsed = (parse_requirement(text) for text in distribution.requires or [])
    unique = {(r.name, r.specifier, r.marker): r for r in parsed if r is not None}
    return list(unique.values())


def _depends_on(name: str, requirement: Requirement) -> dict[str, object]:
    data = {
        "specifier": requirement.specifier or None,
        "marker": requirement.marker,
        "extra": requirement.extra,
    }
    given = {key: value for key, value in data.items() if value is not None}
    return {"edge": "DependsOn", "from": name, "to": requirement.name, "data": given}


def _relations(distribution: Distribution) -> Iterator[tuple[str, str, str]]:
    metadata = distribution.metadata
    license_name = metadata["License-Expression"] or metadata["License"]
    if license_name and license_name.strip():
        first_line = license_name.strip().splitlines()[0][:LICENSE_CHARACTERS_MAX]
        yield "License", "LicensedUnder", first_line
    for classifier in dict.fromkeys(metadata.get_all("Classifier") or []):
        yield "Classifier", "ClassifiedAs", classifier
    for author in dict.fromkeys(_authors(distribution)):
        yield "Author", "WrittenBy", author


def _authors(distribution: Distribution) -> Iterator[str]:
    metadata = distribution.metadata
    for field in ("Author", "Author-email"):
        for match in _AUTHOR.finditer(metadata[field] or ""):
            name = match[1].strip()
            if name and "@" not in name:
                yield name
