"""The desired state of a cluster, as its folder declares it, with every digest of control-plane 1.9."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.diagnostics.span import Span
from agentctl.ids import Address, Kind, embedding_provider_address
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.types import Catalog

BlobScope = Literal["server_safe", "embedded_only"]


class EmbeddingProfile(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an embedding provider is, as it is digested and recorded: only what was written.

    The defaults of a kind (`embedding_defaults`) are not filled in, except the kind itself.
    Source: control-plane 1.9.
    """

    kind: str
    """``openai-compatible``, ``openai``, ``gemini`` or ``mock``."""
    base_url: str | None = None
    model: str | None = None
    api_key: str | None = None
    """A reference ``${NAME}``, never a value."""


class DesiredEmbeddingProvider(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of ``providers.embedding``."""

    name: str
    profile: EmbeddingProfile
    digest: str
    """Of control-plane 1.9."""
    where: Span | None = None

    @property
    def address(self) -> Address:
        """``provider.embedding.<name>``."""
        return embedding_provider_address(self.name)


class BlobBase(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """One allowed place of external blobs, normalised."""

    uri: str
    scope: BlobScope


class DesiredSchema(msgspec.Struct, frozen=True, kw_only=True):
    """The schema of one graph."""

    file: str
    """Its path as written, relative to the folder."""
    digest: str
    """SHA-256 of the file's bytes."""
    shape_digest: str
    """``sha256:`` and the digest of its shape, which formatting does not move."""
    catalog: Catalog


class DesiredQuery(msgspec.Struct, frozen=True, kw_only=True):
    """One stored query of a graph."""

    name: str
    file: str
    digest: str
    """SHA-256 of the whole containing file."""
    checked: CheckedQuery
    """What it is called with and what it is for; its body is left out."""


class DesiredGraph(msgspec.Struct, frozen=True, kw_only=True):
    """A graph with its schema and its stored queries, sorted by name."""

    id: str
    schema: DesiredSchema
    queries: tuple[DesiredQuery, ...] = ()
    digest: str
    """The composite of control-plane 1.9."""
    embedding_provider: Address | None = None
    """The full address of the bound provider."""
    external_blobs: tuple[BlobBase, ...] = ()
    """Sorted by uri; empty denies."""


class DesiredPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy bundle and what it is bound to."""

    name: str
    file: str
    digest: str
    applies_to: tuple[str, ...]
    """Normalised typed references (``cluster`` or ``graph.<id>``), sorted."""


class DesiredResource(msgspec.Struct, frozen=True, kw_only=True):
    """One resource of a kind that 0.10 does not have, typed and resolved. Source: control-plane 3.1."""

    address: Address
    kind: Kind
    digest: str
    """SHA-256 of ``<kind>\\0`` and the canonical bytes of `fields`, with each file's path replaced
    by the SHA-256 of its bytes."""
    fields: Mapping[str, object]
    """As they are digested: references typed, defaults filled in, absent options left out."""
    path: str | None = None
    """The file that it names, if it names one."""
    where: Span | None = None
    """Its key in cluster.yaml."""


class ApplyGroup(msgspec.Struct, frozen=True, kw_only=True):
    """Resources that are applied all or not at all, at the ledger commit."""

    name: str
    members: tuple[Address, ...]
    """Sorted."""
    where: Span | None = None


class ApplySettings(msgspec.Struct, frozen=True, kw_only=True):
    """The section ``apply``; no resource."""

    concurrency: int | None = None
    """1 to 16; None leaves it to the release."""
    groups: tuple[ApplyGroup, ...] = ()
    """Sorted by name."""


class Move(msgspec.Struct, frozen=True, kw_only=True, order=True):
    """A graph, query or policy gets another address; its data stays."""

    source: Address
    """Not declared any more."""
    target: Address
    """Declared, of the same kind."""
    where: Span | None = None


class ResourceSummary(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One declared resource. Source: control-plane 1.2."""

    address: Address
    kind: Kind
    digest: str
    path: str | None = None


class Dependency(
    msgspec.Struct, frozen=True, kw_only=True, order=True, rename={"source": "from", "target": "to"}
):
    """*source* depends on *target*; ``{from, to}`` on the wire."""

    source: Address
    target: Address


class DesiredCluster(msgspec.Struct, frozen=True, kw_only=True):
    """Everything a folder (or a draft over it) declares, valid and resolved."""

    name: str | None
    storage: str | None
    """As written; None means the folder itself."""
    lock: bool
    graphs: tuple[DesiredGraph, ...]
    """Sorted by id."""
    policies: tuple[DesiredPolicy, ...]
    """Sorted by name."""
    config_digest: str
    resources: tuple[ResourceSummary, ...]
    """Sorted by address."""
    dependencies: tuple[Dependency, ...]
    """Sorted."""
    files: Mapping[str, bytes]
    """``cluster.yaml`` and every file it names, by path relative to the folder (absolute ones as
    written)."""
    source_digest: str
    """SHA-256 of the canonical source manifest of these files. Source: control-plane 3.2."""
    embedding_providers: tuple[DesiredEmbeddingProvider, ...] = ()
    """Sorted by name."""
    others: tuple[DesiredResource, ...] = ()
    """Resources of the kinds that 0.10 does not have, sorted by address."""
    apply: ApplySettings = ApplySettings()
    protect: tuple[Address, ...] = ()
    """Sorted."""
    moved: tuple[Move, ...] = ()
    """Sorted."""
    forget: tuple[Address, ...] = ()
    """Sorted; none of them is declared."""
    env_file: str | None = None
    """The file that holds the values of ``${NAME}``, as written; in no digest, and never read here."""

    @property
    def resource_digests(self) -> dict[str, str]:
        """Digests by address."""
        return {r.address: r.digest for r in self.resources}

    def graph(self, graph_id: str) -> DesiredGraph | None:
        """Returns the declared graph of that id."""
        return next((g for g in self.graphs if g.id == graph_id), None)


class SourceManifest(msgspec.Struct, frozen=True, kw_only=True):
    """The files of one source; its canonical bytes are ``__cluster/sources/<digest>.json``."""

    version: Literal[1] = 1
    files: Mapping[str, str]
    """SHA-256 by path."""
