"""Where an incarnation's datasets lie on the disk, how large they are, and their removal.

Lance has its own connection to storage; this slice has local roots only. Needs no Lance, so that a
graph can be observed and purged without the engine's extra.
"""

import os
import shutil
from collections.abc import Callable, Iterable
from pathlib import Path
from urllib.parse import unquote, urlsplit

from agentctl.graph.layout import data_prefix, dataset_key

BeforeWrite = Callable[[str], None]
"""Told of each write of a dataset before it happens; a crash point in tests."""


def local_path(uri: str) -> Path:
    """Returns the folder that a ``file://`` URI names."""
    parts = urlsplit(uri)
    assert parts.scheme == "file", f"not a local storage root: {uri}"
    return Path(unquote(parts.path))


class DataFolder:
    """``data/<incarnation>`` of one graph."""

    def __init__(self, store_uri: str, graph_id: str, incarnation: str) -> None:
        self._storage = local_path(store_uri)
        self._graph_id = graph_id
        self._incarnation = incarnation

    @property
    def path(self) -> Path:
        """The folder; it may not be there."""
        return self._storage / data_prefix(self._graph_id, self._incarnation)

    def dataset(self, type_id: str) -> Path:
        """Returns the dataset's folder."""
        return self._storage / dataset_key(self._graph_id, self._incarnation, type_id)

    def size_bytes(self) -> int:
        """Returns the sum of the sizes of all files; what vanishes meanwhile counts nothing."""
        total = 0
        for folder, _, names in os.walk(self.path):
            for name in names:
                try:
                    total += (Path(folder) / name).stat().st_size
                except OSError:
                    continue
        return total

    def is_gone(self) -> bool:
        """Returns whether no file is left."""
        return not any(names for _, _, names in os.walk(self.path))

    def lost(self, type_ids: Iterable[str]) -> str | None:
        """Returns a type whose dataset is not there, or None."""
        found = (t for t in type_ids if not (self.dataset(t) / "_versions").is_dir())
        return next(found, None)

    def remove(self, before_write: BeforeWrite) -> None:
        """Removes everything; repeating an interrupted removal goes on with it.

        The manifests go first: from the first one on no version can be opened, so a removal that
        was interrupted can be finished but never be taken for a graph that is whole.
        """
        if not self.path.exists():
            return
        datasets = sorted(p for p in self.path.iterdir() if p.is_dir())
        for dataset in datasets:
            versions = dataset / "_versions"
            if versions.exists():
                before_write(f"purge {dataset.name} versions")
                shutil.rmtree(versions)
        for dataset in datasets:
            before_write(f"purge {dataset.name}")
            shutil.rmtree(dataset)
        before_write("purge folder")
        shutil.rmtree(self.path)
