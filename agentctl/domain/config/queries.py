"""The three forms of `queries`: which declarations of which files a graph registers.

Source: control-plane 1.1 and 1.8.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice
from typing import TYPE_CHECKING

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors
from agentctl.diagnostics.diagnostic import Related, error, warning
from agentctl.domain.config.compilers import Compilers, Declared, DeclaredFile
from agentctl.domain.config.faults import meant
from agentctl.domain.config.given import Text
from agentctl.domain.config.model import DesiredQuery
from agentctl.domain.config.paths import CLUSTER_FILE, normal_path
from agentctl.domain.config.snapshot import FolderSnapshot, is_query_name
from agentctl.domain.config.sources import Source, find_source, refuse_path
from agentctl.domain.config.written import (
    QueryMap,
    QueryPath,
    WrittenGraph,
)
from agentctl.ids import Address, graph_address, is_resource_id, query_address
from agentctl.languages.query.results import CheckedResult
from agentctl.languages.schema.types import Catalog

if TYPE_CHECKING:
    from agentctl.languages.text.addition import Addition


class FoundQuery(msgspec.Struct, frozen=True, kw_only=True):
    """A declaration that a graph registers."""

    name: str
    declaration: Declared
    source: Source


class CheckedSchema(msgspec.Struct, frozen=True, kw_only=True):
    """The schema that queries are checked over, and the file it stands in."""

    source: Source
    catalog: Catalog


class QueryFiles:
    """Query files of one snapshot, each parsed once; their faults go to the bag once."""

    def __init__(self, snapshot: FolderSnapshot, bag: Bag, compilers: Compilers) -> None:
        self.snapshot = snapshot
        self.bag = bag
        self.compilers = compilers
        self.additions: list[Addition] = []
        """What OmniGraph 0.10 does not have or reads otherwise, of all files of the languages."""
        self.declared: set[Address] = set()
        """Every query that a graph registers, also one that does not fit its schema."""
        self.partial: set[str] = set()
        """Graphs of which a query file could not be read whole."""
        self.used: dict[str, DeclaredFile] = {}
        """What was parsed, by path."""
        self._by_name: dict[str, dict[str, Declared]] = {}
        self._sources: dict[str, Source] = {}

    def source(self, named: Text, *, missing: str, path: str) -> Source | None:
        """Returns the file that *named* names, hashed once; where it is not there, that is told."""
        key = normal_path(named.text)
        known = self._sources.get(key)
        if known is None:
            found = find_source(self.snapshot, named, missing=missing, path=path, bag=self.bag)
            if found is None:
                return None
            known = self._sources[key] = found
        return known

    def declarations(self, source: Source) -> Mapping[str, Declared]:
        """Returns the declarations of a file by name, of a repeated name the first."""
        known = self._by_name.get(source.path)
        if known is None:
            known = {}
            for declaration in self.parse(source).declarations:
                known.setdefault(declaration.name, declaration)
            self._by_name[source.path] = known
        return known

    def broken(self, source: Source) -> bool:
        """Returns whether a parsed file has mistakes, so that more may be declared in it."""
        return has_errors(self.used[source.path].diagnostics)

    def parse(self, source: Source) -> DeclaredFile:
        """Returns the declarations of a file."""
        known = self.used.get(source.path)
        if known is None:
            known = self.compilers.declared(source)
            self.used[source.path] = known
            self.bag.add(*known.diagnostics)
            self.additions += known.additions
        return known

    def checker(self, schema: CheckedSchema) -> Callable[[FoundQuery], CheckedResult]:
        """Returns what checks a query over *schema*; a file is checked whole, and once."""
        checked: dict[str, Mapping[str, CheckedResult]] = {}

        def check(query: FoundQuery) -> CheckedResult:
            source = query.source
            results = checked.get(source.path)
            if results is None:
                results = self.compilers.judged(
                    source, schema=schema.source, catalog=schema.catalog
                )
                checked[source.path] = results
            return results[query.name]

        return check


def find_queries(graph: WrittenGraph, files: QueryFiles) -> tuple[FoundQuery, ...]:
    """Returns what *graph* registers, sorted by name; a name declared twice is left out once."""
    form = graph.queries
    if isinstance(form, QueryMap):
        found = tuple(_named(graph, form, files))
    else:
        paths = (form.path,) if isinstance(form, QueryPath) else form.paths
        found = tuple(_declared(graph, paths, files))
    first: dict[str, FoundQuery] = {}
    for query in found:
        other = first.setdefault(query.name, query)
        if other is not query:
            _twice(graph, query, other, files.bag)
    return tuple(first[name] for name in sorted(first, key=str.encode))


def check_queries(
    graph_id: str, found: tuple[FoundQuery, ...], schema: CheckedSchema | None, files: QueryFiles
) -> tuple[DesiredQuery, ...]:
    """Returns the queries that fit the schema; without a schema each is skipped with a warning."""
    checked: list[DesiredQuery] = []
    bag = files.bag
    check = files.checker(schema) if schema is not None else None
    for query in found:
        address = query_address(graph_id, query.name)
        if check is None:
            message = f"`{query.name}` was not checked, because the schema has errors"
            where = query.declaration.where
            bag.add(warning("query_typecheck_skipped", address, message, where=where))
            continue
        result = check(query)
        if result.diagnostics:
            bag.add(*(msgspec.structs.replace(d, path=address) for d in result.diagnostics))
        files.additions += result.additions
        if result.query is None:
            assert has_errors(result.diagnostics)
            continue
        checked.append(
            DesiredQuery(
                name=query.name,
                file=query.source.path,
                digest=query.source.digest,
                checked=result.query,
            )
        )
    return tuple(checked)


def _named(graph: WrittenGraph, form: QueryMap, files: QueryFiles) -> Iterator[FoundQuery]:
    for entry in form.entries:
        name = entry.name.text
        address = query_address(graph.id.text, name)
        files.declared.add(address)
        source = files.source(entry.file, missing="query_file_missing", path=address)
        if source is None:
            continue
        declarations = files.declarations(source)
        match = declarations.get(name)
        if match is not None:
            yield FoundQuery(name=name, declaration=match, source=source)
        elif not files.broken(source):
            message = f"`{source.path}` declares no query `{name}`"
            where = entry.name.where
            remedy = meant(
                files.bag, CLUSTER_FILE, name, declarations, otherwise=_listed(declarations)
            )
            files.bag.add(error("query_key_mismatch", address, message, where=where, remedy=remedy))


def _listed(names: Iterable[str]) -> str:
    shown = [f"`{name}`" for name in islice(names, 9)]
    more = f"{', '.join(shown[:8])} and others" if len(shown) > 8 else ", ".join(shown)
    return f"Rename the key or the query; the file declares: {more or 'none'}."


def _declared(
    graph: WrittenGraph, paths: tuple[Text, ...], files: QueryFiles
) -> Iterator[FoundQuery]:
    for path in paths:
        for source in _sources(graph, path, files):
            for declaration in files.parse(source).declarations:
                if _registers(graph, declaration, files.bag):
                    files.declared.add(query_address(graph.id.text, declaration.name))
                    yield FoundQuery(name=declaration.name, declaration=declaration, source=source)
            if files.broken(source):
                files.partial.add(graph.id.text)


def _registers(graph: WrittenGraph, declaration: Declared, bag: Bag) -> bool:
    if is_resource_id(declaration.name):
        return True
    path = graph_address(graph.id.text)
    message = f"`{declaration.name}` is no query id"
    bag.add(error("invalid_resource_id", path, message, where=declaration.where))
    return False


def _sources(graph: WrittenGraph, named: Text, files: QueryFiles) -> Iterator[Source]:
    """Yields the one file, or the ``*.gq`` of the folder in order of bytes."""
    snapshot, address = files.snapshot, graph_address(graph.id.text)
    key = normal_path(named.text)
    names = snapshot.listings.get(key)
    if names is None:
        source = _single(named, key, address, files)
        if source is None:
            files.partial.add(graph.id.text)
        else:
            yield source
        return
    queries = sorted(filter(is_query_name, names), key=lambda name: name.encode())
    if not queries:
        message = f"the folder `{key}` holds no `.gq` file"
        remedy = "Write a query there, or take `queries` out."
        files.bag.add(
            warning("query_dir_empty", address, message, where=named.where, remedy=remedy)
        )
    for name in queries:
        inner = Text(text=name if key == "." else f"{key}/{name}", where=named.where)
        source = files.source(inner, missing="query_parse_error", path=address)
        if source is None:
            files.partial.add(graph.id.text)
        else:
            yield source


def _single(named: Text, key: str, address: str, files: QueryFiles) -> Source | None:
    """Returns the file that is no folder; a path written with a final ``/`` must be a folder."""
    snapshot = files.snapshot
    folder_meant = named.text.endswith("/") or key in snapshot.unreadable
    if folder_meant and not refuse_path(
        snapshot, key, where=named.where, path=address, bag=files.bag
    ):
        reason = snapshot.unreadable.get(key, "there is no such folder")
        message = f"the queries folder `{key}` cannot be read: {reason}"
        files.bag.add(error("query_dir_unreadable", address, message, where=named.where))
    if folder_meant:
        return None
    return files.source(named, missing="query_file_missing", path=address)


def _twice(graph: WrittenGraph, query: FoundQuery, other: FoundQuery, bag: Bag) -> None:
    where, first = query.declaration.where, other.declaration.where
    if where == first:
        message = f"`{query.source.path}` is listed twice, so `{query.name}` is declared twice"
        remedy = "List the file once."
    else:
        message = f"the query `{query.name}` is declared twice"
        remedy = "Rename one of them."
    bag.add(
        error(
            "duplicate_query_name",
            query_address(graph.id.text, query.name),
            message,
            where=where,
            related=() if where == first else (Related(where=first, message="first here"),),
            remedy=remedy,
        )
    )
