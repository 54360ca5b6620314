"""`agentctl graph export`: the lines go to stdout or a file as they are read."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from agentctl.faces.cli.options import example, in_option, place, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.command(
    "export",
    epilog=example(
        "agentctl graph export supply > supply.ndjson",
        "agentctl graph export supply --at v1 --out supply.ndjson",
    ),
)
@click.argument("graph", metavar="ID")
@click.option("--branch", metavar="BRANCH", default="main", help="Which branch.")
@click.option("--at", metavar="POINT", help="A commit, tag or time in place of the newest.")
@click.option("--out", metavar="FILE", type=click.Path(path_type=Path), help="In place of stdout.")
@in_option
@shared
@click.pass_context
def export(
    context: click.Context,
    /,
    graph: str,
    branch: str,
    at: str | None,
    out: Path | None,
    within: str | None,
    **_: object,
) -> None:
    """Write all rows as lines that load reads: one graph always gives the same bytes."""
    from agentctl.faces.cli.options import settings_of
    from agentctl.faces.cli.session import run_command

    if out is None and settings_of(context).as_json:
        context.fail("--json tells of an export into a file: add --out FILE.")
    asked = {"in": place(within), "graph": graph, "branch": branch, "at": at}

    async def main(session: "Session") -> "Ended":
        if out is None:
            return await _exported(session, asked, sys.stdout.buffer, printed=True)
        return await _into(session, asked, out)

    run_command(main)


async def _into(session: "Session", asked: dict[str, Any], out: Path) -> "Ended":
    """Writes beside the file, and in its place when all is there."""
    from agentctl.diagnostics.diagnostic import error
    from agentctl.faces.cli.session import Ended
    from agentctl_tools.envelopes import failed

    part = out.with_name(f"{out.name}.part")
    try:
        with part.open("wb") as file:
            ended = await _exported(session, asked, file, printed=False)
        if ended.envelope.ok:
            part.replace(out)
    except OSError as failure:
        why = f"the file cannot be written: {failure.strerror}"
        return Ended(envelope=failed((error("invalid_arguments", str(out), why),)))
    finally:
        part.unlink(missing_ok=True)
    return ended


async def _exported(
    session: "Session", asked: dict[str, Any], file: BinaryIO, *, printed: bool
) -> "Ended":
    from anyio import to_thread

    from agentctl.faces.cli.session import Ended

    async def write(block: Any) -> None:  # noqa: ANN401  # a Block of the export
        await to_thread.run_sync(file.write, block.lines)

    envelope = await session.call("graph_export", asked, notify=write)
    file.flush()
    return Ended(envelope=envelope, printed=printed and envelope.ok)
