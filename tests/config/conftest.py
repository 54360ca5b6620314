"""A cluster folder on disk, from a mapping of paths to contents."""

from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import pytest

from agentctl.adapters.sources.directory import Folder
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.load import LoadedCluster

Files = Mapping[str, str | bytes]
Loading = Callable[..., Awaitable[LoadedCluster]]


def put(root: Path, files: Files) -> None:
    """Writes *files* under *root*."""
    for path, content in files.items():
        target = root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content.encode() if isinstance(content, str) else content)


@pytest.fixture
def load(tmp_path: Path) -> Loading:
    """Writes files into the test's folder and loads it."""

    async def loading(
        files: Files,
        *,
        confined: bool = True,
        overlay: Mapping[str, bytes | None] | None = None,
    ) -> LoadedCluster:
        put(tmp_path, files)
        return await Folder(tmp_path).load(confined=confined, overlay=overlay)

    return loading


@pytest.fixture
def told() -> Callable[[LoadedCluster], list[str]]:
    """Returns diagnostics as lines: place, severity, code, message."""

    def lines(loaded: LoadedCluster) -> list[str]:
        return [line(d) for d in loaded.diagnostics]

    def line(d: Diagnostic) -> str:
        return f"{d.where or d.path} {d.severity} {d.code}: {d.message}"

    return lines
