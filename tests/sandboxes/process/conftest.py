"""A folder to make sandboxes from, a provider over a new disk, and a way to run one line."""

import stat
from collections.abc import Awaitable, Callable, Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from agentctl.adapters.runners.process_provider import ProcessProvider
from agentctl.domain.sandbox.provider import CommandOrder, CommandOutcome, Creation
from agentctl.ids import ulid

ID = ulid(1, b"0123456789")


@pytest.fixture
def source(tmp_path: Path) -> Path:
    folder = tmp_path / "golden"
    (folder / "a" / "b").mkdir(parents=True)
    (folder / "a" / "one.txt").write_text("one\n")
    (folder / "a" / "b" / "two.sh").write_text("echo two\n")
    (folder / "a" / "b" / "two.sh").chmod(0o755)
    (folder / "a" / "link").symlink_to("b/two.sh")
    (folder / "empty").mkdir()
    (folder / "fixed").mkdir()
    (folder / "fixed" / "it").write_text("it\n")
    (folder / "fixed").chmod(0o555)
    return folder


@pytest.fixture
def root(tmp_path: Path) -> Path:
    return tmp_path / "sandboxes"


@pytest.fixture
def provider(root: Path, source: Path) -> ProcessProvider:
    return ProcessProvider(root, sources={"golden": source})


@pytest.fixture
def creation() -> Creation:
    return Creation(id=ID, name="one", source="golden")


@pytest.fixture
async def started(provider: ProcessProvider, creation: Creation) -> ProcessProvider:
    await provider.create(creation)
    await provider.start(ID)
    return provider


type_of_sh = Callable[..., Awaitable[CommandOutcome]]


@pytest.fixture
def sh(provider: ProcessProvider) -> type_of_sh:
    async def _run(line: str, seconds: float = 20.0, stdin: bytes = b"") -> CommandOutcome:
        order = CommandOrder(
            argv=("sh", "-c", line), timeout=timedelta(seconds=seconds), stdin=stdin
        )
        return await provider.run(ID, order)

    return _run


@pytest.fixture
def shape() -> Callable[[Path], dict[str, tuple[str, int, str]]]:
    """Returns all that a folder holds: kinds, modes, contents and targets."""

    def _of(folder: Path) -> dict[str, tuple[str, int, str]]:
        return dict(_entries(folder))

    return _of


def _entries(folder: Path) -> Iterator[tuple[str, tuple[str, int, str]]]:
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        mode = stat.S_IMODE(path.lstat().st_mode)
        if path.is_symlink():
            yield name, ("link", mode, str(path.readlink()))
        elif path.is_dir():
            yield name, ("folder", mode, "")
        else:
            yield name, ("file", mode, path.read_bytes().hex())
