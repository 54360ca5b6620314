"""A config folder in memory, loaded."""

from collections.abc import Callable, Mapping

import pytest

from agentctl.domain.config.load import LoadedCluster, parse_config, resolve, wanted
from agentctl.domain.config.snapshot import FolderSnapshot
from agentctl.domain.policy.bundles import check_cedar

Loaded = Callable[[Mapping[str, str | bytes]], LoadedCluster]


@pytest.fixture
def loaded() -> Loaded:
    """Loads the files that a cluster.yaml names."""

    def load(files: Mapping[str, str | bytes]) -> LoadedCluster:
        data = {p: c.encode() if isinstance(c, str) else c for p, c in files.items()}
        parsed = parse_config(data["cluster.yaml"])
        names = wanted(parsed)
        named = {p: c for p, c in data.items() if p == "cluster.yaml" or names.names(p)}
        snapshot = FolderSnapshot(files=named, folders=frozenset({"/"}))
        return resolve(parsed, snapshot, check_cedar=check_cedar)

    return load
