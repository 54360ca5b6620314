"""Files in a temporary folder, for as long as something is done with them."""

import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from anyio import CancelScope, to_thread

PREFIX: Final = "agentctl-sandbox-"


class TemporaryFolder:
    """A folder that holds *files* by relative path, and goes with the block."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._path: Path | None = None

    async def __aenter__(self) -> Path:
        """Makes the folder, private to the user."""
        self._path = await to_thread.run_sync(_written, self._files)
        return self._path

    async def __aexit__(self, *_: object) -> None:
        """Removes it, also when the block is cancelled."""
        with CancelScope(shield=True):
            assert self._path is not None
            await to_thread.run_sync(_removed, self._path)


def _written(files: Mapping[str, bytes]) -> Path:
    path = Path(tempfile.mkdtemp(prefix=PREFIX))
    try:
        for name, data in files.items():
            target = path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
    except BaseException:
        _removed(path)
        raise
    return path


def _removed(path: Path) -> None:
    shutil.rmtree(path, ignore_errors=True)
