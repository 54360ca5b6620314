"""The folder of a simulated cluster: a small model that changes at random, written as text."""

import random
from pathlib import Path
from typing import Final

import msgspec

from agentctl.testing.builders import QUERY, SCHEMA, WIDER_SCHEMA, cluster_yaml

GRAPHS: Final = ("alpha", "beta", "gamma")
_LOOSER: Final = SCHEMA.replace("  marker: String?\n", "  marker: String?\n  weight: I64?\n")
SCHEMAS: Final = (SCHEMA, WIDER_SCHEMA, _LOOSER)
_MORE_QUERIES: Final = (
    "query first() {\n  match { $p: Package }\n  return { $p.name }\n"
    "  order { $p.name asc }\n  limit 1\n}\n",
    "query second() {\n  match { $p: Package }\n  return { $p.version }\n"
    "  order { $p.version asc }\n}\n",
)


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """What the folder declares of one graph."""

    schema: int = 0
    """Index into `SCHEMAS`."""
    queries: int = 0
    """How many queries there are besides the first."""

    @property
    def texts(self) -> tuple[str, str]:
        """The schema's text and that of its queries."""
        return SCHEMAS[self.schema], "\n".join([QUERY, *_MORE_QUERIES[: self.queries]])


class FolderModel:
    """A cluster folder on disk that people edit."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.graphs: dict[str, Declared] = {graph: Declared() for graph in GRAPHS[:2]}

    def change(self, rng: random.Random) -> str:
        """Changes one thing, writes the folder, and returns what was changed."""
        graph = rng.choice(GRAPHS)
        before = self.graphs.get(graph)
        if before is None:
            self.graphs[graph] = Declared()
            what = "adds"
        elif rng.random() < 0.3 and len(self.graphs) > 1:
            del self.graphs[graph]
            what = "removes"
        elif rng.random() < 0.5:
            other = (before.schema + rng.randrange(1, len(SCHEMAS))) % len(SCHEMAS)
            self.graphs[graph] = msgspec.structs.replace(before, schema=other)
            what = f"schema {other} of"
        else:
            other = (before.queries + 1) % (len(_MORE_QUERIES) + 1)
            self.graphs[graph] = msgspec.structs.replace(before, queries=other)
            what = f"{other} more queries of"
        self.write()
        return f"{what} {graph}"

    def read(self) -> None:
        """Takes over what a draft brought home."""
        text = (self.path / "cluster.yaml").read_text(encoding="utf-8")
        found: dict[str, Declared] = {}
        for graph in GRAPHS:
            if f"  {graph}:\n" not in text:
                continue
            schema = (self.path / f"{graph}.pg").read_text(encoding="utf-8")
            queries = (self.path / f"{graph}.gq").read_text(encoding="utf-8")
            found[graph] = Declared(
                schema=SCHEMAS.index(schema), queries=queries.count("query ") - 1
            )
        self.graphs = found

    def write(self) -> None:
        """Writes every file."""
        texts = {"cluster.yaml": cluster_yaml(*sorted(self.graphs))}
        for graph, declared in self.graphs.items():
            texts[f"{graph}.pg"], texts[f"{graph}.gq"] = declared.texts
        for name, text in texts.items():
            (self.path / name).write_text(text, encoding="utf-8")
        for file in sorted(self.path.glob("*.[pg][gq]")):
            if file.name not in texts:
                file.unlink()


def texts_of(graph: str, declared: Declared) -> dict[str, str]:
    """Returns the files of one graph as a draft would hold them."""
    schema, queries = declared.texts
    return {f"{graph}.pg": schema, f"{graph}.gq": queries}
