"""Every schema and query file that a folder declares, read and checked, also where there are errors.

`load` gives a valid cluster or none; lint and compatibility look at each file for itself. No IO.
"""

from collections.abc import Iterator, Mapping

import msgspec

from agentctl.domain.config.compilers import Compilers
from agentctl.domain.config.digests import file_digest
from agentctl.domain.config.load import LoadedCluster
from agentctl.domain.config.paths import normal_path
from agentctl.domain.config.snapshot import is_query_name
from agentctl.domain.config.sources import Source
from agentctl.domain.config.written import QueryMap, QueryPath, WrittenGraph
from agentctl.languages.query.results import CheckedResult, QueryFile
from agentctl.languages.schema.compiled import CompiledSchema
from agentctl.languages.text.addition import Addition
from agentctl.views.compat import config_additions


class QueryReading(msgspec.Struct, frozen=True, kw_only=True):
    """One query file over the schema of one graph."""

    path: str
    parsed: QueryFile
    checked: Mapping[str, CheckedResult]
    """By name; empty where the schema has errors."""


class GraphReading(msgspec.Struct, frozen=True, kw_only=True):
    """What the files of one graph say."""

    graph: str
    schema_path: str | None
    """None where the schema's file is not there."""
    schema: CompiledSchema | None
    queries: tuple[QueryReading, ...]
    """In order of their paths."""


def readings(loaded: LoadedCluster) -> tuple[GraphReading, ...]:
    """Returns the graphs that cluster.yaml declares, as far as it could be read, sorted by id.

    What loading has read already is not read again.
    """
    compilers = loaded.compilers
    written = loaded.parsed.written
    graphs = sorted(written.graphs, key=lambda g: g.id.text) if written is not None else []
    parsed: dict[str, QueryFile] = {}
    return tuple(_graph(graph, loaded.files, compilers, parsed) for graph in graphs)


def additions(loaded: LoadedCluster) -> tuple[Addition, ...]:
    """Returns all that OmniGraph 0.10 would refuse or take for something else, sorted, each once."""
    written = loaded.parsed.written
    found: list[Addition] = [*config_additions(written)] if written is not None else []
    for graph in readings(loaded):
        if graph.schema is not None:
            found += graph.schema.additions
        for file in graph.queries:
            found += file.parsed.additions
            found += [a for result in file.checked.values() for a in result.additions]
    return tuple(sorted(dict.fromkeys(found), key=lambda a: (a.where, a.feature)))


def _graph(
    graph: WrittenGraph,
    files: Mapping[str, bytes],
    compilers: Compilers,
    parsed: dict[str, QueryFile],
) -> GraphReading:
    source = _source(normal_path(graph.schema.text), files) if graph.schema is not None else None
    schema = compilers.schema(source) if source is not None else None
    found: list[QueryReading] = []
    for path in dict.fromkeys(sorted(_query_paths(graph, files))):
        queries = _source(path, files)
        if queries is None:
            continue
        file = parsed.setdefault(path, compilers.queries(queries))
        checked: Mapping[str, CheckedResult] = {}
        if source is not None and schema is not None and schema.catalog is not None:
            checked = compilers.checked(queries, schema=source, catalog=schema.catalog)
        found.append(QueryReading(path=path, parsed=file, checked=checked))
    return GraphReading(
        graph=graph.id.text,
        schema_path=source.path if source is not None else None,
        schema=schema,
        queries=tuple(found),
    )


def _query_paths(graph: WrittenGraph, files: Mapping[str, bytes]) -> Iterator[str]:
    """Yields the files that `queries` names; of a folder those right in it."""
    form = graph.queries
    if isinstance(form, QueryMap):
        yield from (normal_path(entry.file.text) for entry in form.entries)
        return
    for named in (form.path,) if isinstance(form, QueryPath) else form.paths:
        path = normal_path(named.text)
        if path in files:
            yield path
            continue
        prefix = "" if path == "." else f"{path}/"
        for file in files:
            inner = file.removeprefix(prefix)
            if file.startswith(prefix) and "/" not in inner and is_query_name(inner):
                yield file


def _source(path: str, files: Mapping[str, bytes]) -> Source | None:
    data = files.get(path)
    return Source(path=path, data=data, digest=file_digest(data)) if data is not None else None
