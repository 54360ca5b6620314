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

    def checked(
        self, parsed: QueryFile, source: Source, *, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        """Returns what the declarations of a query file mean over a schema, by name.

        Args:
            parsed: what `queries` gave for *source*.
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

    def checked(
        self, parsed: QueryFile, source: Source, *, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        """Returns what the declarations of a query file mean over a schema, by name."""
        key = (source.path, source.digest, schema.path, schema.digest)
        if key not in self._checked:
            asked = self._asked.checked(parsed, source, schema=schema, catalog=catalog)
            self._checked[key] = asked
        return self._checked[key]


class Languages:
    """Reads every file anew."""

    def schema(self, source: Source) -> CompiledSchema:
        """Returns what a schema file means."""
        return compile_schema(source.data, file=source.path)

    def queries(self, source: Source) -> QueryFile:
        """Returns what a query file declares."""
        return parse_query_file(source.data, file=source.path)

    def checked(
        self,
        parsed: QueryFile,
        source: Source,  # noqa: ARG002  # the protocol's signature
        *,
        schema: Source,  # noqa: ARG002
        catalog: Catalog,
    ) -> Mapping[str, CheckedResult]:
        """Returns what the declarations of a query file mean over a schema, by name."""
        found: dict[str, CheckedResult] = {}
        for declaration in parsed.declarations:
            if declaration.name not in found:
                found[declaration.name] = check_query(declaration, catalog)
        return found
