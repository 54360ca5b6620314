"""Where output goes: data and one JSON document to stdout, talk and diagnostics to stderr."""

import json
import sys
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.diagnostics.span import Span
from agentctl.foreign import show_json

_SHOWN: Final = (".pg", ".gq", ".yaml", ".yml", ".cedar")
"""How the names of files end whose lines may be quoted."""
_SHOWN_BYTES_MAX: Final = 8 << 20


def print_json(document: object) -> None:
    """Writes the one document of `--json`."""
    text = json_text(document)
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), indent=2)
    sys.stdout.write(text + "\n")


def print_json_line(document: object) -> None:
    """Writes one of many documents, on a line of its own."""
    text = show_json(msgspec.json.encode(document).decode())
    try:
        text.encode(sys.stdout.encoding)
    except UnicodeEncodeError:
        text = json.dumps(json.loads(text), separators=(",", ":"))
    sys.stdout.write(text + "\n")


def json_text(document: object) -> str:
    """Returns *document* as JSON for a file or a terminal: no character of it acts on either."""
    encoded = msgspec.json.format(msgspec.json.encode(document), indent=2)
    return show_json(encoded.decode())


def say(line: str) -> None:
    """Says one line to a person."""
    sys.stderr.write(line + "\n")


def print_diagnostics(
    found: Iterable[Diagnostic],
    *,
    folder: Path | None,
    sources: Mapping[str, str] | None = None,
    concise: bool = False,
) -> None:
    """Writes diagnostics for a person, sorted, each once, with their places where they have one.

    Args:
        found: what to print.
        folder: whose files may be quoted; None where what was looked at is not what stands there.
        sources: texts that are at hand, by the names that places give them.
        concise: whether each takes one line.
    """
    from agentctl.diagnostics.render.text import as_shown, render_concise, render_full
    from agentctl.faces.cli.colour import painter

    paint = painter(sys.stderr)
    read: dict[str, str | None] = {**(sources or {})}
    for diagnostic in as_shown(found):
        if concise:
            sys.stderr.write(render_concise(diagnostic, paint=paint) + "\n")
            continue
        for where in _places(diagnostic):
            if folder is not None and where.file not in read:
                read[where.file] = _source(where.file, folder)
        texts = {file: text for file, text in read.items() if text is not None}
        own = texts.get(diagnostic.where.file) if diagnostic.where is not None else None
        shown = render_full(diagnostic, own, sources=texts, paint=paint)
        sys.stderr.write(shown.rstrip("\n") + "\n")


def _places(diagnostic: Diagnostic) -> tuple[Span, ...]:
    own = (diagnostic.where,) if diagnostic.where is not None else ()
    return (*own, *(related.where for related in diagnostic.related))


def _source(file: str, folder: Path) -> str | None:
    """Returns the text of a file that a diagnostic points into, if it may be quoted.

    That is what configuration consists of, inside the folder, and never an environment file.
    Source: control-plane 3.1, confinement.
    """
    if not file.endswith(_SHOWN) or any(part.startswith(".env") for part in Path(file).parts):
        return None
    try:
        real = (folder / file).resolve()
        if not real.is_relative_to(folder.resolve()) or real.stat().st_size > _SHOWN_BYTES_MAX:
            return None
        return real.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
