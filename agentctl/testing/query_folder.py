"""A small cluster folder with a folder of queries, to be edited: for tests of what edits bring about."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

SCHEMA: Final = "node Package {\n  name: String @key\n  version: String?\n}\n"
CLUSTER: Final = "version: 1\ngraphs:\n  supply:\n    schema: supply.pg\n    queries: queries\n"
NAMES: Final = ("alpha", "beta", "gamma", "delta")
"""Of the queries, each in a file of its own."""


def query(name: str) -> str:
    """Returns the text of a query of that name."""
    return f"query {name}() {{\n  match {{ $p: Package }}\n  return {{ $p.name }}\n  limit 5\n}}\n"


def begin(folder: Path) -> Path:
    """Writes the whole folder."""
    queries = {f"queries/{name}.gq": query(name) for name in NAMES}
    put(folder, {"cluster.yaml": CLUSTER, "supply.pg": SCHEMA, **queries})
    return folder


def put(folder: Path, files: Mapping[str, str | None]) -> None:
    """Writes files of the folder, or takes them away."""
    for path, text in files.items():
        target = folder / path
        if text is None:
            target.unlink()
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")
