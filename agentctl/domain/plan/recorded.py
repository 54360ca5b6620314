"""What the ledger records of providers and of the settings of graphs. Source: control-plane 1.4.

The same functions make what an apply writes and what a plan compares with it.
"""

from collections.abc import Mapping

import msgspec

from agentctl.domain.config.model import (
    ApplySettings,
    DesiredCluster,
    DesiredGraph,
    EmbeddingProfile,
)
from agentctl.domain.ledger.envelope import AppliedSettings
from agentctl.domain.ledger.state import AppliedResource
from agentctl.domain.plan.model import SettingsChange

Settings = Mapping[str, object]


def profile_fields(profile: EmbeddingProfile) -> Settings:
    """Returns a provider's profile as state holds it: only what was written."""
    fields = msgspec.to_builtins(profile)
    assert isinstance(fields, dict)
    return fields


def blob_policy(graph: DesiredGraph) -> Settings | None:
    """Returns a graph's policy for external blobs as state holds it; None where it denies."""
    if not graph.external_blobs:
        return None
    bases = [{"uri": base.uri, "scope": base.scope} for base in graph.external_blobs]
    return {"mode": "allow", "bases": bases}


def graph_settings(resource: AppliedResource | None) -> Settings:
    """Returns the recorded settings of a graph."""
    if resource is None:
        return {}
    return _settings(resource.embedding_provider, resource.external_blob_policy)


def wanted_graph_settings(graph: DesiredGraph) -> Settings:
    """Returns the declared settings of a graph."""
    return _settings(graph.embedding_provider, blob_policy(graph))


def wanted_settings(apply: ApplySettings) -> AppliedSettings:
    """Returns the declared settings of apply as the ledger holds them."""
    groups = {group.name: tuple(group.members) for group in apply.groups}
    return AppliedSettings(concurrency=apply.concurrency, groups=groups)


def settings_change(
    address: str, before: AppliedResource | None, desired: DesiredCluster
) -> SettingsChange | None:
    """Returns how the settings of a graph or of an embedding provider differ; None where they do not.

    A provider that goes, or a graph, takes its settings along.
    """
    if address.startswith("graph."):
        graph = desired.graph(address.removeprefix("graph."))
        old = graph_settings(before)
        new = wanted_graph_settings(graph) if graph is not None else old
        return None if old == new else SettingsChange(before=old, after=new)
    provider = next((p for p in desired.embedding_providers if p.address == address), None)
    if provider is None:
        return None
    known = before.embedding_profile if before is not None else None
    wanted = profile_fields(provider.profile)
    return None if known == wanted else SettingsChange(before=known, after=wanted)


def _settings(provider: str | None, blobs: Settings | None) -> Settings:
    written = {"embedding_provider": provider, "external_blob_policy": blobs}
    return {name: value for name, value in written.items() if value is not None}
