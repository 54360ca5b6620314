"""A cluster folder from bytes to its desired state: parse, read what it names, resolve.

The caller parses cluster.yaml (`parse_config`), reads what it wants (`wanted`) into a
`FolderSnapshot`, and resolves. Nothing here touches a disk. Source: control-plane 1.
"""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.diagnostics.span import Span
from agentctl.domain.config.cluster_file import ParsedConfig, parse_config
from agentctl.domain.config.compilers import Compilers, Languages
from agentctl.domain.config.digests import (
    config_digest,
    graph_composite,
    source_digest,
    source_manifest,
)
from agentctl.domain.config.model import (
    Dependency,
    DesiredCluster,
    DesiredGraph,
    DesiredPolicy,
    DesiredQuery,
    DesiredSchema,
    ResourceSummary,
    SourceManifest,
)
from agentctl.domain.config.policies import resolve_policies
from agentctl.domain.config.queries import (
    CheckedSchema,
    QueryFiles,
    check_queries,
    find_queries,
)
from agentctl.domain.config.snapshot import FolderSnapshot, Wanted, wanted
from agentctl.domain.config.sources import Source, find_source
from agentctl.domain.config.written import WrittenCluster, WrittenGraph
from agentctl.ids import graph_address, policy_address, query_address, schema_address

if TYPE_CHECKING:
    from agentctl.languages.schema.compile import CompiledSchema

__all__ = [
    "FolderSnapshot",
    "LoadedCluster",
    "ParsedConfig",
    "Wanted",
    "parse_config",
    "resolve",
    "wanted",
]

LANGUAGES: Final = Languages()
_UNSERVABLE_IDS = frozenset({"policies", "healthz", "openapi", "graphs"})


class LoadedCluster(msgspec.Struct, frozen=True, kw_only=True):
    """A folder, or a draft over it, as far as it could be read."""

    desired: DesiredCluster | None
    """None iff there are errors."""
    diagnostics: tuple[Diagnostic, ...]
    """Sorted."""
    parsed: ParsedConfig
    files: Mapping[str, bytes]
    """cluster.yaml and the files it names that are there, also where there are errors."""
    source: SourceManifest
    """Of `files`; empty where cluster.yaml is not there."""
    source_digest: str
    """The digest of the folder, also where there are errors; a draft's base."""

    @property
    def config_digest(self) -> str | None:
        """The config digest of a valid folder."""
        return self.desired.config_digest if self.desired else None


def resolve(
    parsed: ParsedConfig, snapshot: FolderSnapshot, compilers: Compilers = LANGUAGES
) -> LoadedCluster:
    """Returns everything that the folder declares, or every fault of it."""
    bag = Bag(parsed.diagnostics)
    _environment_files(snapshot, bag)
    desired = None
    manifest = source_manifest(snapshot.files)
    named_by = source_digest(manifest)
    if parsed.written is not None:
        desired = _desired(parsed.written, QueryFiles(snapshot, bag, compilers), named_by)
    return LoadedCluster(
        desired=None if has_errors(bag) else desired,
        diagnostics=bag.sorted(),
        parsed=parsed,
        files=snapshot.files,
        source=manifest,
        source_digest=named_by,
    )


def _desired(written: WrittenCluster, files: QueryFiles, named_by: str) -> DesiredCluster | None:
    snapshot, bag = files.snapshot, files.bag
    graphs: list[DesiredGraph] = []
    for graph in sorted(written.graphs, key=lambda g: g.id.text.encode()):
        _servable(graph, bag)
        resolved = _graph(graph, files)
        if resolved is not None:
            graphs.append(resolved)
    policies = resolve_policies(written, snapshot, bag)
    if has_errors(bag):
        return None
    resources = tuple(sorted(_resources(graphs, policies), key=lambda r: r.address.encode()))
    return DesiredCluster(
        name=written.name.text if written.name else None,
        storage=written.storage.text if written.storage else None,
        lock=written.lock is not False,
        graphs=tuple(graphs),
        policies=policies,
        config_digest=config_digest(written, {r.address: r.digest for r in resources}),
        resources=resources,
        dependencies=_dependencies(graphs, policies),
        files=snapshot.files,
        source_digest=named_by,
    )


def _graph(graph: WrittenGraph, files: QueryFiles) -> DesiredGraph | None:
    bag = files.bag
    address = schema_address(graph.id.text)
    source: Source | None = None
    compiled: CompiledSchema | None = None
    if graph.schema is not None:
        source = find_source(
            files.snapshot, graph.schema, missing="schema_file_missing", path=address, bag=bag
        )
    if source is not None:
        compiled = files.compilers.schema(source)
        bag.add(*(msgspec.structs.replace(d, path=address) for d in compiled.diagnostics))
    catalog = compiled.catalog if compiled is not None else None
    checked = None
    if source is not None and catalog is not None:
        checked = CheckedSchema(source=source, catalog=catalog)
    queries = check_queries(graph.id.text, find_queries(graph, files), checked, files)
    if source is None or compiled is None or catalog is None or compiled.shape_digest is None:
        return None
    digest = source.digest
    return DesiredGraph(
        id=graph.id.text,
        schema=DesiredSchema(
            file=source.path, digest=digest, shape_digest=compiled.shape_digest, catalog=catalog
        ),
        queries=queries,
        digest=graph_composite(graph.id.text, digest, {q.name: q.digest for q in queries}),
    )


def _resources(
    graphs: list[DesiredGraph], policies: tuple[DesiredPolicy, ...]
) -> list[ResourceSummary]:
    found: list[ResourceSummary] = []
    for graph in graphs:
        schema = graph.schema
        found.append(
            ResourceSummary(address=graph_address(graph.id), kind="graph", digest=graph.digest)
        )
        found.append(
            ResourceSummary(
                address=schema_address(graph.id),
                kind="schema",
                digest=schema.digest,
                path=schema.file,
            )
        )
        found.extend(_query_summary(graph.id, query) for query in graph.queries)
    found.extend(
        ResourceSummary(
            address=policy_address(policy.name),
            kind="policy",
            digest=policy.digest,
            path=policy.file,
        )
        for policy in policies
    )
    return found


def _query_summary(graph_id: str, query: DesiredQuery) -> ResourceSummary:
    address = query_address(graph_id, query.name)
    return ResourceSummary(address=address, kind="query", digest=query.digest, path=query.file)


def _dependencies(
    graphs: list[DesiredGraph], policies: tuple[DesiredPolicy, ...]
) -> tuple[Dependency, ...]:
    """Returns the edges of control-plane 1.2."""
    edges: list[Dependency] = []
    for graph in graphs:
        target, schema = graph_address(graph.id), schema_address(graph.id)
        edges.append(Dependency(source=schema, target=target))
        for query in graph.queries:
            address = query_address(graph.id, query.name)
            edges.append(Dependency(source=address, target=target))
            edges.append(Dependency(source=address, target=schema))
    known = {graph_address(graph.id) for graph in graphs}
    edges.extend(
        Dependency(source=policy_address(policy.name), target=scope)
        for policy in policies
        for scope in known.intersection(policy.applies_to)
    )
    return tuple(sorted(set(edges)))


def _servable(graph: WrittenGraph, bag: Bag) -> None:
    graph_id = graph.id.text
    if "_" not in graph_id and len(graph_id) <= 64 and graph_id not in _UNSERVABLE_IDS:
        return
    bag.add(
        warning(
            "graph_id_not_servable_by_omnigraph",
            graph_address(graph_id),
            f"OmniGraph 0.10 would not serve a graph named `{graph_id}`; agentctl does",
            where=graph.id.where,
        )
    )


def _environment_files(snapshot: FolderSnapshot, bag: Bag) -> None:
    for name in snapshot.environments:
        bag.add(
            error(
                "future_phase_field",
                name,
                f"environments are not built yet, so `{name}` would not be read",
                where=Span(file=name, line=1, column=1, end_line=1, end_column=1),
                remedy="Move the file out of the folder until a release has `--env`.",
            )
        )
