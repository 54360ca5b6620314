"""A committed cluster folder, a bare repository to publish to, and a publisher that may be stopped."""

import os
import select
import subprocess
from collections.abc import Mapping
from pathlib import Path

import msgspec

from agentctl.adapters.forge.publish import PublicationWorld, publish, published_state
from agentctl.canonical import sha256_hex
from agentctl.domain.config.drafting import FileChange
from agentctl.domain.config.remotes import Remote
from agentctl.domain.sandbox.publication_order import PublicationOrder
from agentctl.domain.sandbox.publishing import Publishing, begin
from agentctl.domain.sandbox.records import Publication
from agentctl.ids import ulid
from agentctl.testing.forges import TOKEN, TOKEN_NAME

SANDBOX = ulid(1_700_000_000_000, b"0123456789")
FIRST = ulid(1_700_000_000_001, b"0123456789")
SECOND = ulid(1_700_000_000_002, b"0123456789")
CLUSTER = b"version: 1\ngraphs: {supply: {schema: supply.pg}}\n"
SCHEMA = b"node Package { name: String @key }\n"
WIDER = b"node Package { name: String @key size: U64? }\n"
QUERY = b"query names() { match { $p: Package } return { $p.name } }\n"


class StoppedError(Exception):
    """The process dies here."""


def run_git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=sarah", "-c", "user.email=s@localhost", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
    )
    return done.stdout.rstrip("\n")


def ends(pid: int) -> bool:
    """Returns whether a process has ended, or does so within a moment."""
    try:
        handle = os.pidfd_open(pid)
    except ProcessLookupError:
        return True
    with os.fdopen(handle, "rb") as process:
        return bool(select.select([process], [], [], 10)[0])


def hook(repository: Path, name: str, script: str) -> None:
    """Gives a repository a hook."""
    place = repository / "hooks" / name
    place.parent.mkdir(exist_ok=True)
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)


def change(path: str, old: bytes | None, new: bytes | None) -> FileChange:
    digests = [None if data is None else sha256_hex(data) for data in (old, new)]
    return FileChange(path=path, old=digests[0], new=digests[1])


def order(
    files: Mapping[str, tuple[bytes | None, bytes | None]] | None = None, **more: object
) -> PublicationOrder:
    """An order that widens the schema and adds a query, said otherwise by *more*."""
    wanted = files
    if wanted is None:
        wanted = {"supply.pg": (SCHEMA, WIDER), "queries/names.gq": (None, QUERY)}
    fields: dict[str, object] = {
        "id": FIRST,
        "job_id": "01J90000000000000000000000",
        "sandbox_id": SANDBOX,
        "sandbox_name": "try-1",
        "files": tuple(change(path, *sides) for path, sides in sorted(wanted.items())),
        "contents": {path: new for path, (_, new) in wanted.items() if new is not None},
        "principal": "agent:eve",
        "at": "2026-03-01T12:00:00.000Z",
        "intent": "Packages get a size",
        "plan_digest": "sha256:" + "ab" * 32,
        "blast_radius": ("schema.supply: adds Package.size",),
        "evidence": ("plan applied in sandbox try-1: converged",),
        "op_ids": ("01J90000000000000000000001",),
        **more,
    }
    return PublicationOrder(**fields)  # type: ignore[arg-type]  # whatever a test says otherwise


class Desk:
    """Who publishes, from one folder to one remote."""

    def __init__(self, place: Path, *, object_format: str = "sha1") -> None:
        self.place = place
        self.origin = place / "origin.git"
        self.folder = place / "cluster"
        self.pauses: list[float] = []
        self.kept: list[Publication] = []
        self.environ = {
            **{name: os.environ[name] for name in ("PATH", "GIT_CONFIG_GLOBAL")},
            "HOME": str(place),
            "GIT_CONFIG_NOSYSTEM": "1",
            TOKEN_NAME: TOKEN,
        }
        self.folder.mkdir()
        made = ("init", "-q", "-b", "main", f"--object-format={object_format}")
        run_git(place, *made, "--bare", str(self.origin))
        run_git(self.folder, *made)
        self.write({"cluster.yaml": CLUSTER, "supply.pg": SCHEMA})
        self.commit("begin")
        run_git(self.folder, "push", "-q", str(self.origin), "main")
        self.remote = Remote(name="origin", url=str(self.origin))

    def write(self, files: Mapping[str, bytes]) -> None:
        for path, data in files.items():
            target = self.folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(data)

    def commit(self, message: str) -> str:
        run_git(self.folder, "add", "-A")
        run_git(self.folder, "commit", "-q", "-m", message)
        return run_git(self.folder, "rev-parse", "HEAD")

    def commit_of_somebody(self) -> str:
        run_git(self.folder, "commit", "-q", "--allow-empty", "-m", "somebody was here")
        return run_git(self.folder, "rev-parse", "HEAD")

    def world(self) -> PublicationWorld:
        async def pause(seconds: float) -> None:
            self.pauses.append(seconds)

        return PublicationWorld(self.folder, self.remote, self.environ, pause=pause)

    @property
    def last(self) -> Publication | None:
        """What a store would hold."""
        return self.kept[-1] if self.kept else None

    async def publish(
        self,
        wanted: PublicationOrder | None = None,
        *,
        stop: tuple[str, int] | None = None,
    ) -> Publishing:
        """Publishes, going on from what was kept; dies ``before`` or ``after`` the n-th keeping."""
        wanted = wanted or order()
        before = self.last
        if before is None or before.id != wanted.id:
            before = begin(wanted, self.remote)
        count = 0

        async def keep(publication: Publication) -> None:
            nonlocal count
            count += 1
            if stop == ("before", count):
                raise StoppedError
            self.kept.append(
                msgspec.json.decode(msgspec.json.encode(publication), type=Publication)
            )
            if stop == ("after", count):
                raise StoppedError

        return await publish(wanted, self.world(), before, keep)

    async def state(self) -> Publishing:
        assert self.last is not None
        seen = await published_state(self.world(), self.last)
        self.kept.append(seen.publication)
        return seen

    def made(self, repository: Path | None = None) -> list[str]:
        """The commits of agentctl in a repository, on whatever branch."""
        words = ("log", "--all", "--format=%H", "--author=agentctl@localhost")
        return run_git(repository or self.folder, *words).splitlines()

    def file(self, commit: str, path: str, repository: Path | None = None) -> bytes:
        """A file as a commit has it."""
        done = subprocess.run(
            ["git", "cat-file", "blob", f"{commit}:{path}"],
            cwd=repository or self.folder,
            capture_output=True,
            check=True,
        )
        return done.stdout

    def says(self, commit: str) -> str:
        return run_git(self.folder, "log", "-1", "--format=%B", commit)
