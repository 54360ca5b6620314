"""A cluster folder from bytes to its desired state: parse, read what it names, resolve.

The caller parses cluster.yaml (`parse_config`), reads what it wants (`wanted`) into a
`FolderSnapshot`, and resolves. Nothing here touches a disk. Source: control-plane 1.
"""

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

import msgspec

from agentctl.diagnostics.bag import Bag, has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.diagnostics.span import Span
from agentctl.domain.config.blobs import deny_warnings, external_blobs
from agentctl.domain.config.cedar_file import CheckCedar
from agentctl.domain.config.cluster_file import ParsedConfig, parse_config
from agentctl.domain.config.compilers import Compilers, Languages
from agentctl.domain.config.digests import (
    config_digest,
    graph_composite,
    source_digest,
    source_manifest,
)
from agentctl.domain.config.faults import FolderBag
from agentctl.domain.config.given import EMPTY
from agentctl.domain.config.model import (
    DesiredCluster,
    DesiredGraph,
    DesiredSchema,
    SourceManifest,
)
from agentctl.domain.config.normal import Surroundings
from agentctl.domain.config.others import declared_names, resolve_others
from agentctl.domain.config.policies import resolve_policies
from agentctl.domain.config.providers import bound_provider, resolve_embedding_providers
from agentctl.domain.config.queries import (
    CheckedSchema,
    QueryFiles,
    check_queries,
    find_queries,
)
from agentctl.domain.config.references import Declared
from agentctl.domain.config.settings import check_env_file, resolve_settings
from agentctl.domain.config.snapshot import FolderSnapshot, Wanted
from agentctl.domain.config.sources import Source, find_source
from agentctl.domain.config.summaries import dependencies, summaries
from agentctl.domain.config.wanting import wanted
from agentctl.domain.config.written import WrittenCluster, WrittenGraph
from agentctl.ids import (
    Address,
    embedding_provider_address,
    graph_address,
    policy_address,
    schema_address,
)
from agentctl.languages.text.addition import Addition

if TYPE_CHECKING:
    from agentctl.languages.schema.compiled import CompiledSchema

__all__ = [
    "FolderSnapshot",
    "LoadedCluster",
    "ParsedConfig",
    "Wanted",
    "parse_config",
    "resolve",
    "wanted",
]

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
    found_additions: tuple[Addition, ...] | None = None
    """`additions` as they were found; None where they were not asked for."""
    compilers: Compilers = msgspec.field(default_factory=Languages)
    """What read the files; it knows them still."""

    @property
    def config_digest(self) -> str | None:
        """The config digest of a valid folder."""
        return self.desired.config_digest if self.desired else None

    @property
    def additions(self) -> tuple[Addition, ...]:
        """What OmniGraph 0.10 does not have or reads otherwise, by place; only where asked for."""
        assert self.found_additions is not None, "whoever wants them tells `resolve`"
        unique = dict.fromkeys(self.found_additions)
        return tuple(sorted(unique, key=lambda a: (a.where, a.feature)))

    @property
    def remarks(self) -> tuple[Diagnostic, ...]:
        """What `validate` alone tells of a valid folder, beside `diagnostics`."""
        written = self.parsed.written
        if self.desired is None or written is None:
            return ()
        return deny_warnings(self.desired, written)


def resolve(
    parsed: ParsedConfig,
    snapshot: FolderSnapshot,
    compilers: Compilers | None = None,
    *,
    check_cedar: CheckCedar | None = None,
    with_additions: bool = False,
) -> LoadedCluster:
    """Returns everything that the folder declares, or every fault of it.

    Args:
        parsed: cluster.yaml.
        snapshot: what it names.
        compilers: read the languages; without them every file is read anew.
        check_cedar: asks Cedar about policies in it; without it no such file holds.
        with_additions: whether what OmniGraph 0.10 does not have is wanted too.
    """
    bag = FolderBag(parsed.diagnostics)
    _environment_files(snapshot, bag)
    reading = compilers if compilers is not None else Languages()
    files = QueryFiles(snapshot, bag, reading)
    desired = None
    manifest = source_manifest(snapshot.files)
    named_by = source_digest(manifest)
    if parsed.written is not None:
        resolving = _Resolving(parsed.written, files, check_cedar)
        desired = resolving.cluster(named_by)
    return LoadedCluster(
        desired=None if has_errors(bag) else desired,
        diagnostics=bag.sorted(),
        parsed=parsed,
        files=snapshot.files,
        source=manifest,
        source_digest=named_by,
        found_additions=tuple(files.additions) if with_additions else None,
        compilers=reading,
    )


class _Resolving:
    """Resolves what one cluster.yaml declares: what others refer to comes first."""

    def __init__(
        self, written: WrittenCluster, files: QueryFiles, check_cedar: CheckCedar | None
    ) -> None:
        self._written = written
        self._files = files
        self._bag = files.bag
        self._check_cedar = check_cedar
        self._root = written.root or EMPTY

    def cluster(self, named_by: str) -> DesiredCluster | None:
        """Returns the desired state; None where anything is wrong."""
        written, snapshot, bag = self._written, self._files.snapshot, self._bag
        providers = resolve_embedding_providers(written, bag)
        digests = {provider.address: provider.digest for provider in providers}
        names = frozenset(self._named())
        known = Declared(names)
        graphs: dict[str, DesiredGraph] = {}
        for graph in sorted(written.graphs, key=lambda g: g.id.text.encode()):
            _servable(graph, bag)
            resolved = self._graph(graph, known, digests)
            if resolved is not None:
                graphs[graph.id.text] = resolved
        policies = resolve_policies(
            written,
            snapshot,
            bag,
            additions=self._files.additions,
            check_cedar=self._check_cedar,
        )
        bag.add(*check_env_file(written.env_file, snapshot, snapshot.files))
        known = Declared(names | self._files.declared, self._files.partial)
        around = Surroundings(snapshot=snapshot, known=known, bag=bag)
        others = resolve_others(self._root, around, graphs)
        bindings = frozenset(r.address for r in others.resources if r.kind == "binding")
        around = Surroundings(
            snapshot=snapshot,
            known=Declared(known.addresses | bindings, known.partial) if bindings else known,
            bag=bag,
        )
        settings = resolve_settings(self._root, around)
        if has_errors(bag):
            return None
        found = tuple(graphs.values())
        resources = summaries(found, policies, providers, others.resources)
        return DesiredCluster(
            name=written.name.text if written.name else None,
            storage=written.storage.text if written.storage else None,
            lock=written.lock is not False,
            graphs=found,
            policies=policies,
            config_digest=config_digest(written, {r.address: r.digest for r in resources}),
            resources=resources,
            dependencies=dependencies(found, policies, others.dependencies),
            files=snapshot.files,
            source_digest=named_by,
            embedding_providers=providers,
            others=others.resources,
            apply=settings.apply,
            protect=settings.protect,
            moved=settings.moved,
            forget=settings.forget,
            env_file=written.env_file.text if written.env_file else None,
        )

    def _named(self) -> Iterator[Address]:
        """Yields what is declared by its name in cluster.yaml alone."""
        for graph in self._written.graphs:
            yield graph_address(graph.id.text)
            yield schema_address(graph.id.text)
        for policy in self._written.policies:
            yield policy_address(policy.name.text)
        for provider in self._root.section("providers").entries("embedding"):
            yield embedding_provider_address(provider.key.text)
        for lost in self._root.section("providers").lost("embedding"):
            yield embedding_provider_address(lost.text)
        for lost in self._root.lost("policies"):
            yield policy_address(lost.text)
        yield from declared_names(self._root)

    def _graph(
        self, graph: WrittenGraph, known: Declared, providers: Mapping[Address, str]
    ) -> DesiredGraph | None:
        files, bag = self._files, self._bag
        address = schema_address(graph.id.text)
        source: Source | None = None
        compiled: CompiledSchema | None = None
        if graph.schema is not None:
            source = find_source(
                files.snapshot, graph.schema, missing="schema_file_missing", path=address, bag=bag
            )
        if source is not None:
            compiled = files.compilers.schema(source)
            files.additions += compiled.additions
            bag.add(*(msgspec.structs.replace(d, path=address) for d in compiled.diagnostics))
        catalog = compiled.catalog if compiled is not None else None
        checked = None
        if source is not None and catalog is not None:
            checked = CheckedSchema(source=source, catalog=catalog)
        queries = check_queries(graph.id.text, find_queries(graph, files), checked, files)
        provider = bound_provider(graph, known, bag)
        bases = external_blobs(graph, files.snapshot, bag)
        if source is None or compiled is None or catalog is None or compiled.shape_digest is None:
            return None
        schema = DesiredSchema(
            file=source.path,
            digest=source.digest,
            shape_digest=compiled.shape_digest,
            catalog=catalog,
        )
        return DesiredGraph(
            id=graph.id.text,
            schema=schema,
            queries=queries,
            digest=graph_composite(
                graph.id.text,
                source.digest,
                {q.name: q.digest for q in queries},
                provider=None if provider is None else (provider, providers.get(provider)),
                blob_bases=[(base.uri, base.scope) for base in bases],
            ),
            embedding_provider=provider,
            external_blobs=bases,
        )


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


def _environment_files(snapshot: FolderSnapshot, bag: FolderBag) -> None:
    for name in snapshot.environments:
        bag.add(
            warning(
                "future_phase_field",
                name,
                f"environments are not built yet, so `{name}` is not read",
                where=Span(file=name, line=1, column=1, end_line=1, end_column=1),
                remedy="Expect nothing of the file until a release has `--env`.",
            )
        )
