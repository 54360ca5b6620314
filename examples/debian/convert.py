"""The packages that apt knows, as lines that `agentctl load` reads.

    apt-cache dumpavail | python3 convert.py > debian.ndjson

One stanza is held at a time, and the names that were met. What is not understood ends the program
with the line it stands on: nothing is guessed, nothing left out. Source of the forms: Debian Policy,
chapters 5 (control files) and 7 (relations between packages).
"""  # noqa: INP001  # a program of an example, not a package

import json
import re
import sys
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

RELATIONS: Final = {"Pre-Depends": "pre-depends", "Depends": "depends", "Recommends": "recommends"}
"""The fields that say what a package needs, and how `debian.pg` calls them."""

OPERATORS: Final = {
    "<<": "earlier",
    "<=": "earlier-or-equal",
    "=": "exactly",
    ">=": "later-or-equal",
    ">>": "later",
}
"""How a version is bounded; an enum of the schema language has letters only. Source: Policy 7.1."""

_NAME: Final = r"[a-z0-9][a-z0-9+.-]+"
_RELATION: Final = re.compile(
    rf"(?P<name>{_NAME})(?::(?P<arch>[a-z0-9-]+))?"
    r"(?:\s*\(\s*(?P<operator><<|<=|=|>=|>>)\s*(?P<version>[A-Za-z0-9.+:~-]+)\s*\))?"
)
_MAINTAINER: Final = re.compile(r"(?P<name>\S.*?)\s*<(?P<email>[^<>\s]+@[^<>\s]+)>,?")
_SOURCE: Final = re.compile(rf"(?P<name>{_NAME})(?: \(\S+\))?")
_FIELD: Final = re.compile(r"([!-,.-9;-~][!-9;-~]*):[ \t]*(.*)")

Line = dict[str, Any]
"""One line of NDJSON: a node (`type`, `data`) or an edge (`edge`, `from`, `to`, `data`)."""


class MalformedError(Exception):
    """The input is not what apt writes; the text says where and what."""


class Field(NamedTuple):
    """One field of a stanza: the number of its line, from 1, and its value, of one line."""

    at: int
    value: str


Stanza = Mapping[str, Field]


class Relation(NamedTuple):
    """One name that a package asks for, and what it asks of it."""

    name: str
    bounds: dict[str, str]
    """`arch`, `than` and `version`: those that are said."""


def stanzas(lines: Iterable[bytes]) -> Iterator[Stanza]:
    """Yields the stanzas of a control file, one at a time.

    Raises:
        MalformedError: a line is no field, or stands in its stanza twice, or is not UTF-8.
    """
    fields: dict[str, Field] = {}
    last = ""
    for at, raw in enumerate(lines, 1):
        try:
            line = raw.decode("utf-8").rstrip("\r\n")
        except UnicodeDecodeError as error:
            msg = f"line {at}: not UTF-8"
            raise MalformedError(msg) from error
        if not line.strip():
            if fields:
                yield fields
            fields, last = {}, ""
        elif line[0] in " \t" and last:
            fields[last] = Field(fields[last].at, f"{fields[last].value} {line.strip()}")
        elif (found := _FIELD.fullmatch(line)) and found[1] not in fields:
            last = found[1]
            fields[last] = Field(at, found[2].strip())
        else:
            msg = f"line {at}: no field, or a field for the second time: {line[:60]!r}"
            raise MalformedError(msg)
    if fields:
        yield fields


def converted(lines: Iterable[bytes]) -> Iterator[Line]:
    """Yields the nodes and edges of all packages, and at the end the names that are no package.

    Raises:
        MalformedError: a value is not understood, a package comes twice, or there is none.
    """
    real: set[str] = set()
    provided: set[str] = set()
    asked: set[str] = set()
    met: set[tuple[str, str]] = set()
    for stanza in stanzas(lines):
        name = _need(stanza, "Package", re.compile(_NAME))[0]
        if name in real:
            msg = f"line {stanza['Package'].at}: {name} for the second time; one architecture only"
            raise MalformedError(msg)
        real.add(name)
        yield {"type": "Package", "data": _package(name, stanza)}
        yield from _belonging(name, stanza, met)
        for line in _needed(name, stanza):
            if line.get("edge") in {"DependsOn", "Recommends", "Option"}:
                asked.add(line["to"])
            yield line
        for relation in _provided(stanza):
            provided.add(relation.name)
            data = {k: v for k, v in relation.bounds.items() if k == "version"}
            yield {"edge": "Provides", "from": name, "to": relation.name, "data": data}
    if not real:
        msg = "no packages: apt has no lists; `apt-get update` fetches them"
        raise MalformedError(msg)
    for name in sorted((provided | asked) - real):
        kind = "virtual" if name in provided else "missing"
        yield {"type": "Package", "data": {"name": name, "kind": kind}}


def _package(name: str, stanza: Stanza) -> Line:
    """Returns the properties of a package; those that its stanza does not say are left out."""
    said = {
        "version": _need(stanza, "Version", re.compile(r"[0-9][A-Za-z0-9.+:~-]*"))[0],
        "architecture": _need(stanza, "Architecture", re.compile(r"[a-z0-9-]+"))[0],
        "priority": _need(stanza, "Priority", re.compile(r"[a-z]+"))[0],
        "source": name,
    }
    if "Source" in stanza:
        said["source"] = _need(stanza, "Source", _SOURCE)["name"]
    if "Description" in stanza:
        said["summary"] = stanza["Description"].value
    data: Line = {"name": name, "kind": "real", **said}
    if "Installed-Size" in stanza:
        data["installed_kib"] = int(_need(stanza, "Installed-Size", re.compile(r"[0-9]+"))[0])
    if "Essential" in stanza:
        data["essential"] = _need(stanza, "Essential", re.compile(r"yes|no"))[0] == "yes"
    return data


def _belonging(name: str, stanza: Stanza, met: set[tuple[str, str]]) -> Iterator[Line]:
    """Yields a package's section and maintainer, each as a node where it was not yet *met*.

    A maintainer is who has the address; of several spellings of the name the first one stays.
    """
    section = _need(stanza, "Section", re.compile(r"[a-z0-9/-]+"))[0]
    if ("Section", section) not in met:
        met.add(("Section", section))
        yield {"type": "Section", "data": {"name": section}}
    yield {"edge": "InSection", "from": name, "to": section}
    found = _need(stanza, "Maintainer", _MAINTAINER)
    email = found["email"].lower()
    if ("Maintainer", email) not in met:
        met.add(("Maintainer", email))
        yield {"type": "Maintainer", "data": {"email": email, "name": found["name"]}}
    yield {"edge": "MaintainedBy", "from": name, "to": email}


def _needed(name: str, stanza: Stanza) -> Iterator[Line]:
    """Yields what a package needs: a clause of one name is an edge, of several a `Choice`."""
    for field, relation in RELATIONS.items():
        for position, clause in enumerate(_clauses(stanza, field), 1):
            options = [_relation(stanza[field], field, part) for part in clause.split("|")]
            if len(options) == 1:
                yield _firm(name, relation, position, options[0])
                continue
            key = f"{name} {relation} {position}"
            data = {"clause": key, "relation": relation, "text": clause}
            yield {"type": "Choice", "data": data}
            yield {"edge": "Chooses", "from": name, "to": key}
            for rank, option in enumerate(options, 1):
                bounds = {"rank": rank, **option.bounds}
                yield {"edge": "Option", "from": key, "to": option.name, "data": bounds}


def _firm(name: str, relation: str, position: int, needed: Relation) -> Line:
    """Returns the edge of a clause that names one package only."""
    data: Line = {"position": position, **needed.bounds}
    if relation == "recommends":
        return {"edge": "Recommends", "from": name, "to": needed.name, "data": data}
    data["pre"] = relation == "pre-depends"
    return {"edge": "DependsOn", "from": name, "to": needed.name, "data": data}


def _provided(stanza: Stanza) -> Iterator[Relation]:
    """Yields the names that a package provides; a version can only be an exact one (Policy 7.5)."""
    for part in _clauses(stanza, "Provides"):
        relation = _relation(stanza["Provides"], "Provides", part)
        if relation.bounds.get("than", "exactly") != "exactly":
            msg = f"line {stanza['Provides'].at}: Provides: {part!r} bounds a version"
            raise MalformedError(msg)
        yield relation


def _clauses(stanza: Stanza, field: str) -> list[str]:
    """Returns the parts of a field between commas; a comma at its end says nothing more."""
    if field not in stanza:
        return []
    return [clause.strip() for clause in stanza[field].value.removesuffix(",").split(",")]


def _relation(where: Field, field: str, part: str) -> Relation:
    """Returns one name with its bounds: `name:arch (>= version)`."""
    found = _RELATION.fullmatch(part.strip())
    if found is None:
        msg = f"line {where.at}: {field}: {part!r} is no relation to a package"
        raise MalformedError(msg)
    bounds = {"arch": found["arch"], "version": found["version"]}
    if found["operator"]:
        bounds["than"] = OPERATORS[found["operator"]]
    return Relation(found["name"], {key: value for key, value in bounds.items() if value})


def _need(stanza: Stanza, field: str, form: re.Pattern[str]) -> re.Match[str]:
    """Returns a field's value as its form reads it."""
    if field not in stanza:
        msg = f"line {min(found.at for found in stanza.values())}: a stanza without {field}"
        raise MalformedError(msg)
    found = form.fullmatch(stanza[field].value)
    if found is None:
        value = stanza[field].value
        msg = f"line {stanza[field].at}: {field}: {value[:80]!r} is not understood"
        raise MalformedError(msg)
    return found


def main() -> int:
    """Converts stdin to stdout; returns 1 where the input is not understood."""
    try:
        for line in converted(sys.stdin.buffer):
            sys.stdout.write(json.dumps(line, ensure_ascii=False) + "\n")
    except MalformedError as error:
        sys.stderr.write(f"convert.py: {error}\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.stdout.reconfigure(encoding="utf-8")  # type: ignore[union-attr]  # a text stream
    raise SystemExit(main())
