"""Files in a temporary folder, for as long as something is done with them."""

from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path
from typing import Final

from anyio import CancelScope, to_thread

from agentctl.adapters.scratch.work_folder import work_folder

PURPOSE: Final = "sandbox"


class TemporaryFolder:
    """A folder that holds *files* by relative path, and goes with the block."""

    def __init__(self, files: Mapping[str, bytes]) -> None:
        self._files = files
        self._folder: AbstractContextManager[Path] | None = None

    async def __aenter__(self) -> Path:
        """Makes the folder, private to the user."""
        self._folder = _holding(self._files)
        return await to_thread.run_sync(self._folder.__enter__)

    async def __aexit__(self, *_: object) -> None:
        """Removes it, also when the block is cancelled."""
        with CancelScope(shield=True):
            assert self._folder is not None
            await to_thread.run_sync(self._folder.__exit__, None, None, None)


@contextmanager
def _holding(files: Mapping[str, bytes]) -> Iterator[Path]:
    with work_folder(PURPOSE) as path:
        for name, data in files.items():
            target = path / name
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)
        yield path
