"""What `validate` is compared with: programs of a few lines, run as `python -m benchmarks.rivals`.

`tokenise FOLDER` reads the same files and cuts each into tokens by one regular expression: the least
that a program written in Python does with a text. `hash FOLDER MODULES` imports the same modules and
hashes the same files: the least that a program does that must know whether anything changed.
"""

import sys
from pathlib import Path


def tokenise(folder: Path) -> int:
    """Returns how many tokens the files of *folder* have."""
    import re

    token = re.compile(
        r"""
          (?P<blank> [ \t\r\n]+ | //[^\n]* | /\*.*?\*/ )
        | (?P<name> [A-Za-z_][A-Za-z0-9_]* )
        | (?P<variable> \$[A-Za-z_][A-Za-z0-9_]* )
        | (?P<number> [0-9]+ (?:\.[0-9]+)? (?:[eE][+-]?[0-9]+)? )
        | (?P<text> "(?:[^"\\]|\\.)*" )
        | (?P<mark> -> | \.\. | [<>!]= | . )
        """,
        re.VERBOSE | re.DOTALL,
    )
    count = 0
    for path in files_of(folder):
        text = path.read_bytes().decode()
        tokens = [
            (found.lastgroup, found.group(), found.start())
            for found in token.finditer(text)
            if found.lastgroup != "blank"
        ]
        count += len(tokens)
    return count


def hashes(folder: Path, modules: list[str]) -> int:
    """Returns how many files were hashed, having imported *modules*."""
    import hashlib
    import importlib

    for name in modules:
        importlib.import_module(name)
    return len({hashlib.sha256(path.read_bytes()).hexdigest() for path in files_of(folder)})


def files_of(folder: Path) -> list[Path]:
    """Returns the files of a cluster folder that are read."""
    named = [folder / "cluster.yaml", *folder.glob("*.pg")]
    return [*named, *sorted((folder / "queries").iterdir())]


if __name__ == "__main__":
    what, place, *more = sys.argv[1:]
    print(tokenise(Path(place)) if what == "tokenise" else hashes(Path(place), more))  # noqa: T201
