"""Publishes in a process of its own, which somebody kills: `python -m …  FOLDER REMOTE KEPT`."""

import os
import sys
from pathlib import Path

import anyio
import msgspec

from agentctl.adapters.forge.publish import PublicationWorld, publish
from agentctl.domain.config.remotes import Remote
from agentctl.domain.sandbox.publishing import begin
from agentctl.domain.sandbox.records import Publication
from tests.sandboxes.publishing.publishing_rig import order


async def main(folder: str, remote: str, kept: str) -> None:
    """Publishes, and keeps each step in a file."""
    where = msgspec.json.decode(remote, type=Remote)

    async def keep(publication: Publication) -> None:
        await anyio.Path(kept).write_bytes(msgspec.json.encode(publication))

    world = PublicationWorld(Path(folder), where, os.environ)
    await publish(order(), world, begin(order(), where), keep)


if __name__ == "__main__":
    (Path(sys.argv[3]).parent / "pid").write_text(str(os.getpid()))
    anyio.run(main, sys.argv[1], sys.argv[2], sys.argv[3])
