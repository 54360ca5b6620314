"""Bare git repositories that a world publishes to, made beside its cluster.

A scenario's cluster names them below `/remotes/`, which is no folder of any machine: the world's own
stands in for it.
"""

import os
from pathlib import Path
from typing import Final

import anyio

PLACEHOLDER: Final = "/remotes/"
_QUIET: Final = (
    *("-c", "user.name=world", "-c", "user.email=world@localhost"),
    *("-c", "commit.gpgsign=false", "-c", "init.defaultBranch=main"),
)


async def lay_remotes(folder: Path, workspace: Path, names: tuple[str, ...]) -> None:
    """Makes the folder a repository, and pushes it to each bare one that it names."""
    if not names:
        return
    config = folder / "cluster.yaml"
    text = config.read_text(encoding="utf-8")
    config.write_text(text.replace(PLACEHOLDER, f"{workspace}{PLACEHOLDER}"), encoding="utf-8")
    await _git(folder, "init", "-q", "-b", "main")
    await _git(folder, "add", "-A")
    await _git(folder, "commit", "-q", "-m", "the world")
    for name in names:
        bare = remote_path(workspace, name)
        bare.parent.mkdir(exist_ok=True)
        await _git(folder, "init", "-q", "--bare", str(bare))
        await _git(folder, "push", "-q", str(bare), "main")


async def published_files(workspace: Path, name: str, path: str) -> tuple[str, ...]:
    """Returns what a file holds on each branch of a remote that was published to it."""
    bare = remote_path(workspace, name)
    listed = await _git(bare, "for-each-ref", "--format=%(refname)", "refs/heads/agentctl")
    found: list[str] = []
    for ref in listed.split():
        if path in (await _git(bare, "ls-tree", "-r", "--name-only", ref)).splitlines():
            found.append(await _git(bare, "show", f"{ref}:{path}"))  # noqa: PERF401  # awaits
    return tuple(found)


def remote_path(workspace: Path, name: str) -> Path:
    """Returns where the bare repository of a remote is."""
    return workspace / PLACEHOLDER.strip("/") / f"{name}.git"


async def _git(folder: Path, *words: str) -> str:
    env = {k: v for k, v in os.environ.items() if not k.startswith("GIT_")}
    env |= {"GIT_CONFIG_GLOBAL": os.devnull, "GIT_CONFIG_NOSYSTEM": "1"}
    done = await anyio.run_process(["git", *_QUIET, *words], cwd=folder, env=env)
    return done.stdout.decode()
