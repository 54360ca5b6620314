"""Runs a provider: stages objects as files, calls the binary, and believes only its JSON. Source: ops 4.

The password is read from the environment when the tool is called, handed to it in a variable of its
own, and is in no argument, record or message. A call that does not end in time is one that failed.
"""

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Final

import anyio
from anyio import to_thread

from agentctl.adapters.archive.provider import Argv, Location, Provider
from agentctl.adapters.scratch.work_folder import work_folder
from agentctl.domain.ops.archive import ArchiveError, Held

if TYPE_CHECKING:
    from subprocess import CompletedProcess

TIMEOUT_S: Final = 600.0
SAID_MAX: Final = 400
_ALWAYS: Final = ("PATH", "HOME", "LANG", "TMPDIR", "SSL_CERT_FILE", "XDG_CACHE_HOME")
STAGED: Final = "objects"


class ToolArchive:
    """One repository behind one provider."""

    def __init__(
        self,
        provider: Provider,
        where: Location,
        *,
        environ: Mapping[str, str],
        password_name: str,
        timeout_s: float = TIMEOUT_S,
    ) -> None:
        self._provider = provider
        self._where = where
        self._environ = environ
        self._password_name = password_name
        self._timeout_s = timeout_s
        self._is_open = False

    @property
    def tool(self) -> str:
        """The provider's name."""
        return self._provider.name

    async def keep(self, objects: Mapping[str, bytes], tags: Mapping[str, tuple[str, ...]]) -> str:
        """Returns the id of a new snapshot of *objects*."""
        with _working() as (state, work):
            await self._open(state)
            staged = work / STAGED
            await to_thread.run_sync(_stage, staged, objects)
            printed = await self._call(self._provider.backup(self._where, state, staged, tags))
            said = self._provider.snapshot_id(printed)
            listed = None if said is None else await self._listed(state)
        if said is None:
            msg = f"{self.tool} ended well and did not say the snapshot's id"
            raise ArchiveError(msg, code="archive_id_missing")
        # Old releases of restic say the beginning of an id; what is listed under it is what counts.
        ids = [one.id for one in listed or () if one.id.startswith(said)]
        if len(ids) != 1:
            msg = f"{self.tool} does not list the snapshot that it said it made"
            raise ArchiveError(msg, code="archive_id_missing")
        return ids[0]

    async def bring(self, snapshot: str) -> Mapping[str, bytes]:
        """Returns the objects of a snapshot, restored to a folder of the moment."""
        with _working() as (state, work):
            await self._open(state)
            target = work / "restored"
            await self._call(self._provider.restore(self._where, state, snapshot, target))
            return await to_thread.run_sync(_gather, target)

    async def held(self) -> tuple[Held, ...]:
        """Returns every snapshot, oldest first."""
        with _working() as (state, _):
            await self._open(state)
            return await self._listed(state)

    async def forget(self, snapshots: Iterable[str]) -> None:
        """Forgets snapshots, then prunes what nothing names, then checks the repository."""
        ids = tuple(snapshots)
        with _working() as (state, _):
            await self._open(state)
            provider, where = self._provider, self._where
            if ids:
                await self._call(provider.forget(where, state, ids))
            await self._call(provider.prune(where, state))
            await self._call(provider.check(where, state))

    async def _listed(self, state: Path) -> tuple[Held, ...]:
        found = self._provider.held(await self._call(self._provider.list(self._where, state)))
        if found is None:
            msg = f"{self.tool} did not list its snapshots as JSON"
            raise ArchiveError(msg)
        return found

    async def _open(self, state: Path) -> None:
        """Connects where the tool asks for it; a repository that is not there yet is made."""
        connect = self._provider.connect(self._where, state)
        if connect is None and self._is_open:
            return
        probe = connect if connect is not None else self._provider.open(self._where, state)
        ran = await self._run(probe)
        if ran.returncode != 0:
            said = ran.stderr.decode(errors="replace")
            if not self._provider.is_missing(said):
                raise self._failure(probe, said)
            await self._call(self._provider.create(self._where, state))
        self._is_open = True

    async def _call(self, arguments: Argv) -> str:
        ran = await self._run(arguments)
        if ran.returncode != 0:
            raise self._failure(arguments, ran.stderr.decode(errors="replace"))
        return ran.stdout.decode(errors="replace")

    async def _run(self, arguments: Argv) -> "CompletedProcess[bytes]":
        env = self._env()
        try:
            with anyio.fail_after(self._timeout_s):
                return await anyio.run_process(
                    [self._provider.binary, *arguments], env=env, check=False
                )
        except FileNotFoundError as failure:
            msg = f"the command {self._provider.binary} is not on the path"
            raise ArchiveError(msg) from failure
        except TimeoutError as failure:
            msg = f"{self.tool} did not end within {self._timeout_s:g} s"
            raise ArchiveError(msg) from failure

    def _env(self) -> dict[str, str]:
        password = self._environ.get(self._password_name)
        if not password:
            msg = f"the archive's password is not in the environment: {self._password_name}"
            raise ArchiveError(msg)
        names = (*_ALWAYS, *self._provider.env_optional)
        passed = {name: self._environ[name] for name in names if name in self._environ}
        return passed | {self._provider.password_env: password}

    def _failure(self, arguments: Argv, said: str) -> ArchiveError:
        secret = self._environ.get(self._password_name, "")
        words = " ".join(said.split()).replace(secret, "***") if secret else said
        step = next((a for a in arguments if a.isalpha() and len(a) > 1), "call")
        return ArchiveError(f"{self.tool} {step}: {words[:SAID_MAX]}")


@contextmanager
def _working() -> Iterator[tuple[Path, Path]]:
    """Gives a folder for a tool's state and one for files, both gone afterwards."""
    with work_folder("archive") as work:
        state = work / "state"
        state.mkdir()
        yield state, work


def _stage(folder: Path, objects: Mapping[str, bytes]) -> None:
    folder.mkdir()
    for key in sorted(objects):
        target = folder / key
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(objects[key])


def _gather(target: Path) -> Mapping[str, bytes]:
    """Returns the staged files; a tool may restore them below the path that they had."""
    roots = [p for p in target.rglob(STAGED) if p.is_dir()]
    root = min(roots, key=lambda p: len(p.parts)) if roots else target
    files = (p for p in sorted(root.rglob("*")) if p.is_file())
    return {p.relative_to(root).as_posix(): p.read_bytes() for p in files}
