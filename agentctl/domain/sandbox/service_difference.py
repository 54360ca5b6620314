"""What became of the queries, policies, bindings and providers of a config between two snapshots.

A service is a resource as a plan has it, by its address and its digest: all but graphs and schemas,
whose types are listed, and of a graph its own settings. Source: sandboxes 4, Diff.
"""

from collections.abc import Iterator
from typing import Final

import msgspec

from agentctl.domain.config.model import DesiredCluster, DesiredGraph
from agentctl.domain.sandbox.difference import ServiceChange
from agentctl.ids import CLUSTER, graph_address, policy_address

_OF_RESOURCES: Final = frozenset(
    {
        *("graphs", "policies", "embedding_providers", "others", "resources", "dependencies"),
        *("files", "source_digest", "config_digest"),
    }
)
"""Fields of a config that say nothing besides resources and files; all others are settings."""


def service_difference(
    before: DesiredCluster | None, after: DesiredCluster | None, *, same_files: bool = False
) -> tuple[ServiceChange, ...]:
    """Returns what differs, by name.

    Args:
        before: None where the config had errors, so that nobody knows what it declares.
        after: as *before*; where either is None, all that is told is that ``cluster`` changed, with
            `enabled` for whether the config holds now.
        same_files: whether the files are the same, so that nothing can differ.
    """
    if same_files:
        return ()
    if before is None or after is None:
        return (ServiceChange(name=CLUSTER, enabled=after is not None, state="changed"),)
    was, now = dict(_services(before)), dict(_services(after))
    return tuple(
        _change(name, is_there=name in now, was_there=name in was)
        for name in sorted({*was, *now})
        if was.get(name) != now.get(name)
    )


def _change(name: str, *, is_there: bool, was_there: bool) -> ServiceChange:
    if not is_there:
        return ServiceChange(name=name, enabled=False, state="removed")
    return ServiceChange(name=name, enabled=True, state="changed" if was_there else "added")


def _services(config: DesiredCluster) -> Iterator[tuple[str, object]]:
    yield CLUSTER, _settings(config)
    for resource in config.resources:
        if resource.kind not in {"graph", "schema"}:
            yield resource.address, resource.digest
    for graph in config.graphs:
        yield graph_address(graph.id), _graph_settings(graph)
    for policy in config.policies:
        for scope in policy.applies_to:
            yield f"{policy_address(policy.name)} -> {scope}", True


def _settings(config: DesiredCluster) -> object:
    """Returns what cluster.yaml says of no resource, without places."""
    fields = (name for name in config.__struct_fields__ if name not in _OF_RESOURCES)
    return [(name, _placeless(msgspec.to_builtins(getattr(config, name)))) for name in fields]


def _placeless(value: object) -> object:
    if isinstance(value, dict):
        return {name: _placeless(item) for name, item in value.items() if name != "where"}
    if isinstance(value, list | tuple):
        return [_placeless(item) for item in value]
    return value


def _graph_settings(graph: DesiredGraph) -> object:
    """Returns what a graph has besides its schema and its queries."""
    return graph.embedding_provider, graph.external_blobs
