"""Every digest of a cluster folder, byte for byte. Source: control-plane 1.9 and 3.2."""

import json
from collections.abc import Iterable, Mapping
from typing import Final

from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.domain.config.given import Fieldset, by_key, written_json
from agentctl.domain.config.model import SourceManifest
from agentctl.domain.config.written import (
    QueriesForm,
    QueryMap,
    QueryPath,
    QueryPaths,
    WrittenBlobBase,
    WrittenCluster,
    WrittenGraph,
    WrittenProvider,
)
from agentctl.ids import Kind


def file_digest(data: bytes) -> str:
    """Returns the digest of a schema, query or policy: SHA-256 of its file's bytes."""
    return sha256_hex(data)


def provider_digest(provider: WrittenProvider) -> str:
    """Returns the digest of an embedding provider; its key's reference stays unresolved."""
    return sha256_hex(b"embedding-provider\0" + _compact(_profile(provider)))


def kind_digest_of_bytes(kind: Kind, fields: bytes) -> str:
    """Returns the digest of a resource that 0.10 does not have, of the canonical bytes of its fields."""
    word = kind.replace("_", "-")
    return sha256_hex(f"{word}\0".encode() + fields)


def graph_composite(
    graph_id: str,
    schema_digest: str | None,
    queries: Mapping[str, str],
    *,
    provider: tuple[str, str | None] | None = None,
    blob_bases: Iterable[tuple[str, str]] = (),
) -> str:
    """Returns the composite digest of a graph.

    Args:
        graph_id: The graph.
        schema_digest: Of its schema; None where the ledger has none.
        queries: Digests by query name.
        provider: The full address of the bound embedding provider and its digest, if known.
        blob_bases: Normalised ``(uri, scope)`` pairs; empty denies, and adds nothing.
    """
    parts = ["graph", graph_id, "schema", schema_digest or ""]
    for name in sorted(queries, key=str.encode):
        parts += ["query", name, queries[name]]
    if provider is not None:
        parts += ["embedding_provider", provider[0], provider[1] or ""]
    data = "".join(f"{part}\0" for part in parts).encode()
    bases = [{"uri": uri, "scope": scope} for uri, scope in sorted(blob_bases)]
    if bases:
        policy = _compact({"mode": "allow", "bases": bases})
        data += b"external_blob_policy\0" + policy + b"\0"
    return sha256_hex(data)


def config_digest(written: WrittenCluster, resources: Mapping[str, str]) -> str:
    """Returns the config digest: of the written form and every resource's digest by address."""
    named = (f"{a}\0{resources[a]}\0" for a in sorted(resources, key=str.encode))
    return sha256_hex(b"cluster-config\0" + config_json(written) + b"\0" + "".join(named).encode())


def config_json(written: WrittenCluster) -> bytes:
    """Returns the compact JSON of the parsed config, in the field order of OmniGraph 0.10.

    What 0.10 does not have follows, in the order of the table of 3.1, where it is there.
    """
    return _compact(
        {
            "version": 1,
            "metadata": {"name": written.name.text if written.name else None},
            "storage": written.storage.text if written.storage else None,
            "state": {"backend": written.backend, "lock": written.lock},
            "providers": {
                "embedding": by_key({p.name: _profile(p) for p in written.providers}),
            },
            "graphs": by_key({g.id.text: _graph(g) for g in written.graphs}),
            "policies": by_key(
                {
                    p.name.text: {
                        "file": p.file.text if p.file else None,
                        "applies_to": [scope.text for scope in p.applies_to],
                    }
                    for p in written.policies
                }
            ),
            **_sections(written.root),
        }
    )


_PROVIDER_SECTIONS: Final = ("source", "storage")
_SECTIONS: Final = (
    "apply", "pipelines", "embeddings", "ui", "aliases", "bindings", "approvals", "ops", "publication",
    "protect", "moved", "forget",
)  # fmt: skip
"""In the order of the table of control-plane 3.1; `env_file` is in no digest."""


def _sections(root: Fieldset | None) -> dict[str, object]:
    """Returns the sections that 0.10 does not have, as written; empty ones are left out."""
    if root is None:
        return {}
    found: dict[str, object] = {}
    providers = root.section("providers")
    for name in _PROVIDER_SECTIONS:
        if name in providers.fields:
            found[f"providers.{name}"] = written_json(providers.fields[name])
    for name in _SECTIONS:
        if name in root.fields:
            found[name] = written_json(root.fields[name])
    return {name: value for name, value in found.items() if value}


def _graph(graph: WrittenGraph) -> dict[str, object]:
    provider = graph.embedding_provider
    return {
        "schema": graph.schema.text if graph.schema else None,
        "queries": _queries(graph.queries),
        "embedding_provider": provider.text if provider else None,
        **_blobs(graph.external_blobs),
    }


def source_manifest(files: Mapping[str, bytes]) -> SourceManifest:
    """Returns the manifest of a source: cluster.yaml and every file it names, by path."""
    return SourceManifest(files={path: sha256_hex(files[path]) for path in sorted(files)})


def manifest_bytes(manifest: SourceManifest) -> bytes:
    """Returns the canonical bytes that ``__cluster/sources/<digest>.json`` holds."""
    return canonical_bytes(manifest)


def source_digest(manifest: SourceManifest) -> str:
    """Returns the digest that names a source: SHA-256 of its canonical bytes."""
    return sha256_hex(manifest_bytes(manifest))


def _queries(form: QueriesForm) -> object:
    match form:
        case QueryPath(path=path):
            return path.text
        case QueryPaths(paths=paths):
            return [path.text for path in paths]
        case QueryMap(entries=entries):
            return by_key({e.name.text: {"file": e.file.text} for e in entries})


def _profile(provider: WrittenProvider) -> dict[str, str]:
    fields = {
        "kind": provider.kind,
        "base_url": provider.base_url,
        "model": provider.model,
        "api_key": provider.api_key,
    }
    return {name: value for name, value in fields.items() if value is not None}


def _blobs(bases: tuple[WrittenBlobBase, ...]) -> dict[str, object]:
    if not bases:
        return {}
    return {"external_blobs": {"allow": [{"base": b.base, "scope": b.scope} for b in bases]}}


def _compact(value: object) -> bytes:
    """Returns JSON as serde_json writes it compactly: non-ASCII unescaped, short escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
