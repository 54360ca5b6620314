"""A cluster folder on disk, and the looks at it, each as a process of its own would look."""

from collections.abc import Callable
from pathlib import Path

import pytest

from agentctl.adapters.cache.folder_cache import FolderCache
from agentctl.engine.folder_check import FolderCheck, check_folder
from agentctl.testing.query_folder import begin


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return begin(tmp_path / "cluster")


@pytest.fixture
def look(folder: Path, tmp_path: Path) -> Callable[..., FolderCheck]:
    """Looks at the folder; each time with a cache that knows only what lies on the disk."""

    def looking(*, cached: bool = True) -> FolderCheck:
        return check_folder(folder, FolderCache(tmp_path / "cache", folder) if cached else None)

    return looking
