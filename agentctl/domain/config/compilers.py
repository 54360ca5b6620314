"""How the files of a folder become meanings: straight through the languages, or remembered.

Loading asks a `Compilers` and never the languages, so that an unchanged file need not be read
again. Whoever remembers keeps the promise of `Languages`: the same bytes give the same answer.
"""

from collections.abc import Mapping
from typing import Protocol

from agentctl.domain.config.sources import Source
from agentctl.languages.query.compile import (
    CheckedResult,
    QueryFile,
    check_query,
    parse_query_file,
)
from agentctl.languages.schema.compile import CompiledSchema, compile_schema
from agentctl.languages.schema.types import Catalog


class Compilers(Protocol):
    """What a schema or query file means."""

    def schema(self, source: Source) -> CompiledSchema:
        """Returns what a schema file means."""
        ...

    def queries(self, source: Source) -> QueryFile:
        """Returns what a query file declares."""
        ...

    def declared(self, source: Source) -> DeclaredFile:
        """Returns which queries a query file declares; `queries` says the same, and at more cost."""
        ...

    def checked(
        self, source: Source, *, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        """Returns what the declarations of a query file mean over a schema, by name.

        Args:
            source: the query file.
            schema: the schema file.
            catalog: what `schema` gave for it.
        """
        ...


class Once:
    """Asks other compilers once for each file; lives as long as what was loaded through it."""

    def __init__(self, asked: Compilers) -> None:
        self._asked = asked
        self._schemas: dict[tuple[str, str], CompiledSchema] = {}
        self._queries: dict[tuple[str, str], QueryFile] = {}
        self._declared: dict[tuple[str, str], DeclaredFile] = {}
        self._checked: dict[tuple[str, str, str, str], Mapping[str, CheckedResult]] = {}

    def schema(self, source: Source) -> CompiledSchema:
        """Returns what a schema file means."""
        key = (source.path, source.digest)
        if key not in self._schemas:
            self._schemas[key] = self._asked.schema(source)
        return self._schemas[key]

    def queries(self, source: Source) -> QueryFile:
        """Returns what a query file declares."""
        key = (source.path, source.digest)
        if key not in self._queries:
            self._queries[key] = self._asked.queries(source)
        return self._queries[key]

    def declared(self, source: Source) -> DeclaredFile:
        """Returns which queries a query file declares."""
        key = (source.path, source.digest)
        if key not in self._declared:
            self._declared[key] = self._asked.declared(source)
        return self._declared[key]

    def checked(
        self, source: Source, *, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        """Returns what the declarations of a query file mean over a schema, by name."""
        key = (source.path, source.digest, schema.path, schema.digest)
        if key not in self._checked:
            asked = self._asked.checked(source, schema=schema, catalog=catalog)
            self._checked[key] = asked
        return self._checked[key]


class Languages:
    """Reads every file anew; what it parsed last it knows until it parses another."""

    def __init__(self) -> None:
        self._parsed: tuple[Source, QueryFile] | None = None

    def schema(self, source: Source) -> CompiledSchema:
        """Returns what a schema file means."""
        return compile_schema(source.data, file=source.path)

    def queries(self, source: Source) -> QueryFile:
        """Returns what a query file declares."""
        return parse_query_file(source.data, file=source.path)

    def declared(self, source: Source) -> DeclaredFile:
        """Returns which queries a query file declares."""
        return declared_of(self.queries(source))

    def checked(
        self, source: Source, *, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        """Returns what the declarations of a query file mean over a schema, by name."""
        return checked_of(self.queries(source), catalog)


def declared_of(parsed: QueryFile) -> DeclaredFile:
    """Returns the names and places of what was parsed."""
    return DeclaredFile(
        declarations=tuple(Declared(name=d.name, where=d.where) for d in parsed.declarations),
        diagnostics=parsed.diagnostics,
        additions=parsed.additions,
    )


def checked_of(parsed: QueryFile, catalog: Catalog) -> dict[str, CheckedResult]:
    """Returns what was parsed means over a schema, by name; of a repeated name the first."""
    found: dict[str, CheckedResult] = {}
    for declaration in parsed.declarations:
        if declaration.name not in found:
            found[declaration.name] = check_query(declaration, catalog)
    return found
