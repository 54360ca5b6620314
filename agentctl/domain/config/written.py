"""cluster.yaml as written: every value with its spelling and its place, defaults not filled in.

The config digest hashes this form (`spec/control-plane.md` 1.9), so nothing is trimmed or
normalised here.
"""

import msgspec

from agentctl.diagnostics.span import Span
from agentctl.domain.config.given import Fieldset, Text


class QueryPath(msgspec.Struct, frozen=True, kw_only=True, tag="path"):
    """``queries: DIR`` or ``queries: FILE``."""

    path: Text


class QueryPaths(msgspec.Struct, frozen=True, kw_only=True, tag="paths"):
    """``queries: [DIR or FILE, …]``."""

    paths: tuple[Text, ...]


class QueryEntry(msgspec.Struct, frozen=True, kw_only=True):
    """``NAME: {file: FILE}``."""

    name: Text
    file: Text


class QueryMap(msgspec.Struct, frozen=True, kw_only=True, tag="map"):
    """``queries: {NAME: {file: FILE}, …}``; an absent ``queries`` is an empty one."""

    entries: tuple[QueryEntry, ...] = ()


QueriesForm = QueryPath | QueryPaths | QueryMap


class WrittenProvider(msgspec.Struct, frozen=True, kw_only=True):
    """An embedding provider; ``provider:`` is an alias of the key ``kind``."""

    name: str
    kind: str = "openai-compatible"
    base_url: str | None = None
    model: str | None = None
    api_key: str | None = None
    """A reference ``${NAME}``, never a value."""
    where: Span | None = None
    """Its name."""


class WrittenBlobBase(msgspec.Struct, frozen=True, kw_only=True):
    """One allowed place of external blobs."""

    base: str
    scope: str
    where: Span | None = None
    """Of the base."""


class WrittenGraph(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of ``graphs``."""

    id: Text
    schema: Text | None = None
    """None only where the file has an error."""
    queries: QueriesForm = QueryMap()
    embedding_provider: Text | None = None
    external_blobs: tuple[WrittenBlobBase, ...] = ()


class WrittenPolicy(msgspec.Struct, frozen=True, kw_only=True):
    """One entry of ``policies``."""

    name: Text
    file: Text | None = None
    """None only where the file has an error."""
    applies_to: tuple[Text, ...] = ()


class WrittenCluster(msgspec.Struct, frozen=True, kw_only=True):
    """The whole file; where it has errors, as much of it as could be read."""

    name: Text | None = None
    storage: Text | None = None
    backend: str | None = None
    lock: bool | None = None
    providers: tuple[WrittenProvider, ...] = ()
    graphs: tuple[WrittenGraph, ...] = ()
    policies: tuple[WrittenPolicy, ...] = ()
    env_file: Text | None = None
    root: Fieldset | None = None
    """The whole file by its table; the sections that 0.10 only reserves are read from here."""
