"""A desk whose folder is a git repository, with a bare remote that is applied, also one at a forge."""

import contextlib
import os
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.lowlevel
import msgspec

from agentctl.domain.config.remotes import ForgeKind
from agentctl.domain.policy.caller import Caller
from agentctl.engine.apply import apply
from agentctl.engine.data import load
from agentctl.engine.history import History
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.testing.builders import (
    QUERY,
    WIDER_SCHEMA,
    Bench,
    ask,
    cluster_yaml,
    decide,
    folder_files,
    wanting,
)
from agentctl.testing.forges import FakeForge, fake_forge
from tests.sandboxes.inside.inside_rig import LINES
from tests.sandboxes.tools.sandbox_desk import Desk

ROW = '{"type": "Package", "data": {"name": "c", "note": "new"}}'
NEWER = """\
query with_note() {
  match { $p: Package }
  return { $p.name, $p.note }
  order { $p.name asc }
}
"""


def run_git(folder: Path, *words: str) -> str:
    done = subprocess.run(
        ["git", "-c", "user.name=sarah", "-c", "user.email=s@localhost", *words],
        cwd=folder,
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "GIT_CONFIG_NOSYSTEM": "1", "GIT_CONFIG_GLOBAL": os.devnull},
    )
    return done.stdout.rstrip("\n")


class Publisher(Desk):
    """A desk with an applied remote."""

    origin: Path
    forge: FakeForge | None = None

    async def tried(self, *, by: Caller | None = None) -> str:
        """Returns a sandbox in which a property, a query and a row were tried."""
        box = (await self.must("sandbox_open", by=by, name="try-1", purpose="notes")).sandbox
        for path, content in (("supply.pg", WIDER_SCHEMA), ("supply.gq", QUERY + NEWER)):
            await self.must("draft_edit", by=by, in_=box, path=path, content=content)
        plan_id = (await self.must("plan", by=by, in_=box)).result.plan_digest
        key = f"try-{box}"
        asked = {"in_": box, "plan_id": plan_id, "intent": "try", "idempotency_key": key}
        await self.must("apply", by=by, **asked)
        await self.must("sandbox_write", by=by, in_=box, graph="supply", rows=ROW)
        return str(box)

    async def hand_in(self, box: str, *, to: str = "origin", **more: Any) -> Any:
        """Returns the envelope of a publication."""
        return await self.ask("publish", in_=box, to=to, intent="Packages get a note", **more)

    def made(self, repository: Path | None = None) -> list[str]:
        """The commits of agentctl in a repository, on whatever branch."""
        words = ("log", "--all", "--format=%H", "--author=agentctl@localhost")
        return run_git(repository or self.bench.path, *words).splitlines()


async def at_once(seconds: float) -> None:
    """Waits for a forge that is asked again no longer than this."""
    assert seconds > 0
    await anyio.lowlevel.checkpoint()


def _remotes(origin: Path, forge: FakeForge | None) -> str:
    lines = ["publication:", "  remotes:", "    origin:", f"      url: {origin}"]
    if forge is not None:
        profile = forge.profile
        lines += [
            "      forge:",
            f"        kind: {profile.kind}",
            f"        api: {profile.api}",
            f"        repo: {profile.repo}",
            f"        token: {profile.token}",
        ]
    return "\n".join(lines)


@asynccontextmanager
async def publisher(
    tmp_path: Path, *, forge: ForgeKind | None = None, protect: str = ""
) -> AsyncIterator[Publisher]:
    """Gives a desk over a committed folder whose remote a human has consented to."""
    origin = tmp_path / "origin.git"
    run_git(tmp_path, "init", "-q", "-b", "main", "--bare", str(origin))
    bench = Bench(tmp_path, where="lance")
    with contextlib.ExitStack() as running:
        at_forge = running.enter_context(fake_forge(forge, origin)) if forge is not None else None
        files = folder_files("supply")
        files["cluster.yaml"] = (
            cluster_yaml("supply", more=protect) + _remotes(origin, at_forge) + "\n"
        )
        files[".gitignore"] = "\n".join(["/__cluster/", "/graphs/", "/ops/", "/sandboxes/", ""])
        cluster = await bench.begun(files)
        for gated in ("remote.origin", *(("cluster",) if protect else ())):
            await decide(cluster, await ask(cluster, bench.sarah, gated))
        applied = await apply(cluster, bench.sarah, wanting())
        assert applied.converged, applied
        await load(cluster, bench.sarah, "supply", LINES, "append", "rows")
        run_git(bench.path, "init", "-q", "-b", "main")
        run_git(bench.path, "add", "-A")
        run_git(bench.path, "commit", "-q", "-m", "begin")
        run_git(bench.path, "push", "-q", str(origin), "main")
        url = f"sqlite:///{tmp_path / 'history.sqlite'}"
        history = History(StoreConfig(url=url), bench.world.now)
        made = Publisher(bench, msgspec.structs.replace(cluster, history=history, sleep=at_once))
        made.origin = origin
        made.forge = at_forge
        try:
            yield made
        finally:
            await history.aclose()
