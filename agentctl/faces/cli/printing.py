"""Where output goes: data and one JSON document to stdout, talk and diagnostics to stderr."""

import json
import sys
from collections.abc import Iterable
from pathlib import Path
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.foreign import show_json

_SHOWN: Final = (".pg", ".gq", "cluster.yaml")
"""Files whose lines may be quoted. Source: control-plane 3.1, confinement."""


def print_json(document: object) -> None:
    """Writes the one document of `--json`."""
    text = json_text(document)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=2)
    sys.stdout.write(text + "\n")


def json_text(document: object) -> str:
    """Returns *document* as JSON for a file or a terminal: no character of it acts on either."""
    encoded = msgspec.json.format(msgspec.json.encode(document), indent=2)
    return show_json(encoded.decode())


def say(line: str) -> None:
    """Says one line to a person."""
    sys.stderr.write(line + "\n")


def print_diagnostics(found: Iterable[Diagnostic], *, folder: Path) -> None:
    """Writes diagnostics for a person, each with its place in the file where there is one."""
    from agentctl.diagnostics.render.text import render_full

    for diagnostic in found:
        sys.stderr.write(render_full(diagnostic, _source(diagnostic, folder)).rstrip("\n") + "\n")


def _source(diagnostic: Diagnostic, folder: Path) -> str | None:
    """Returns the text of the file that a diagnostic points into, if it may be quoted."""
    if diagnostic.where is None or not diagnostic.where.file.endswith(_SHOWN):
        return None
    path = folder / diagnostic.where.file
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
