"""How the files of a folder become meanings. Loading asks a `Compilers`, and never the languages.

Each file is read once, however often it is asked about; what reads it is loaded when it is needed. `Languages` reads it anew; `Remembering` of
`remembered` asks a cache first. Both live as long as what was loaded through them.
"""

from collections.abc import Mapping
from typing import Protocol

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.diagnostics.span import Span
from agentctl.domain.config.sources import Source
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.query.results import CheckedResult, QueryFile
from agentctl.languages.schema.compiled import CompiledSchema
from agentctl.languages.schema.types import Catalog
from agentctl.languages.text.addition import Addition


class Declared(msgspec.Struct, frozen=True, kw_only=True):
    """That a file declares a query."""

    name: str
    where: Span
    """Of the name."""


class DeclaredFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a query file declares, without what the declarations say."""

    declarations: tuple[Declared, ...]
    """In the file's order, without those of which a mistake has taken something away."""
    diagnostics: tuple[Diagnostic, ...]
    additions: tuple[Addition, ...] = ()
    """What OmniGraph 0.10 would refuse or read otherwise, as far as the text alone tells."""


class Compilers(Protocol):
    """What a schema or query file means; the same bytes always mean the same."""

    def schema(self, source: Source) -> CompiledSchema:
        """Returns what a schema file means."""
        ...

    def queries(self, source: Source) -> QueryFile:
        """Returns what a query file declares, and what the declarations say."""
        ...

    def declared(self, source: Source) -> DeclaredFile:
        """Returns what a query file declares; it may cost less than `queries`."""
        ...

    def checked(
        self, source: Source, *, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        """Returns what the declarations of a query file mean over a schema.

        Args:
            source: the query file.
            schema: the schema file.
            catalog: what `schema` gave for it.

        Returns:
            By name; of a repeated name the first.
        """
        ...

    def judged(
        self, source: Source, *, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        """Returns the same without the bodies of queries; it may cost much less than `checked`."""
        ...


_Key = tuple[str, str]


class Languages:
    """Reads every file anew, once."""

    def __init__(self) -> None:
        self._schemas: dict[_Key, CompiledSchema] = {}
        self._parsed: dict[_Key, QueryFile] = {}
        self._names: dict[_Key, DeclaredFile] = {}
        self._meanings: dict[tuple[_Key, _Key], Mapping[str, CheckedResult]] = {}
        self._judgements: dict[tuple[_Key, _Key], Mapping[str, CheckedResult]] = {}

    def schema(self, source: Source) -> CompiledSchema:
        """Returns what a schema file means."""
        key = _key(source)
        if key not in self._schemas:
            self._schemas[key] = self._compile(source)
        return self._schemas[key]

    def queries(self, source: Source) -> QueryFile:
        """Returns what a query file declares, and what the declarations say."""
        key = _key(source)
        if key not in self._parsed:
            self._parsed[key] = self._parse(source)
        return self._parsed[key]

    def declared(self, source: Source) -> DeclaredFile:
        """Returns what a query file declares."""
        key = _key(source)
        if key not in self._names:
            self._names[key] = self._declare(source)
        return self._names[key]

    def checked(
        self, source: Source, *, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        """Returns what the declarations of a query file mean over a schema."""
        key = (_key(source), _key(schema))
        if key not in self._meanings:
            self._meanings[key] = self._check(source, schema, catalog)
        return self._meanings[key]

    def judged(
        self, source: Source, *, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        """Returns what `checked` says, without the bodies of queries."""
        key = (_key(source), _key(schema))
        if key not in self._judgements:
            self._judgements[key] = self._judge(source, schema, catalog)
        return self._judgements[key]

    def _compile(self, source: Source) -> CompiledSchema:
        from agentctl.languages.schema.compile import compile_schema

        return compile_schema(source.data, file=source.path)

    def _parse(self, source: Source) -> QueryFile:
        from agentctl.languages.query.compile import parse_query_file

        return parse_query_file(source.data, file=source.path)

    def _declare(self, source: Source) -> DeclaredFile:
        return declared_of(self.queries(source))

    def _check(
        self,
        source: Source,
        schema: Source,  # noqa: ARG002  # who remembers asks which file it was
        catalog: Catalog,
    ) -> Mapping[str, CheckedResult]:
        return checked_of(self.queries(source), catalog)

    def _judge(
        self, source: Source, schema: Source, catalog: Catalog
    ) -> Mapping[str, CheckedResult]:
        return judged_of(self.checked(source, schema=schema, catalog=catalog))


def declared_of(parsed: QueryFile) -> DeclaredFile:
    """Returns the names and places of what was parsed."""
    return DeclaredFile(
        declarations=tuple(Declared(name=d.name, where=d.where) for d in parsed.declarations),
        diagnostics=parsed.diagnostics,
        additions=parsed.additions,
    )


def checked_of(parsed: QueryFile, catalog: Catalog) -> dict[str, CheckedResult]:
    """Returns what was parsed means over a schema, by name; of a repeated name the first."""
    from agentctl.languages.query.compile import check_query

    found: dict[str, CheckedResult] = {}
    for declaration in parsed.declarations:
        if declaration.name not in found:
            found[declaration.name] = check_query(declaration, catalog)
    return found


def judged_of(checked: Mapping[str, CheckedResult]) -> dict[str, CheckedResult]:
    """Returns results whose queries say what they are called with and what they are for, no more."""
    return {name: _without_body(result) for name, result in checked.items()}


def _without_body(result: CheckedResult) -> CheckedResult:
    query = result.query
    if query is None:
        return result
    signature = CheckedQuery(
        name=query.name,
        params=query.params,
        description=query.description,
        instruction=query.instruction,
    )
    return msgspec.structs.replace(result, query=signature)


def _key(source: Source) -> _Key:
    return source.path, source.digest
