"""The desired state of a cluster, as its folder declares it, with every digest of control-plane 1.9."""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.ids import Address, Kind
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.types import Catalog


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


class DesiredGraph(msgspec.Struct, frozen=True, kw_only=True):
    """A graph with its schema and its stored queries, sorted by name."""

    id: str
    schema: DesiredSchema
    queries: tuple[DesiredQuery, ...] = ()
    digest: str
    """The composite of control-plane 1.9."""


class DesiredPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """A policy bundle and what it is bound to."""

    name: str
    file: str
    digest: str
    applies_to: tuple[str, ...]
    """Normalised typed references (``cluster`` or ``graph.<id>``), sorted."""


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
