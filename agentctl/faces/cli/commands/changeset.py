"""`agentctl changeset`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.options import (
    example,
    intent_option,
    sandbox_target,
    settings_of,
    shared,
    wait_option,
)

if TYPE_CHECKING:
    from agentctl.domain.sandbox.changeset import ChangeSetBody
    from agentctl.faces.cli.session import Session


@click.group("changeset", epilog=example("agentctl changeset make ID"))
@shared
def command(**_: object) -> None:
    """What a sandbox makes of its base, as one thing: a patch of files and a plan of merges."""


@command.command("make", epilog=example("agentctl changeset make ID"))
@click.argument("sandbox", metavar="SANDBOX")
@shared
def make(sandbox: str, **_: object) -> None:
    """Make the one change set of a sandbox as it is now."""
    from agentctl.faces.cli.session import run_operation

    run_operation("sandbox_changeset", {"in": sandbox_target(sandbox)}, show=_text)


@command.command("show", epilog=example("agentctl changeset show DIGEST --out change.json"))
@click.argument("digest", metavar="DIGEST")
@click.option("--out", type=click.Path(path_type=Path, dir_okay=False), help="Write it to a file.")
@shared
def show(digest: str, out: Path | None, **_: object) -> None:
    """Show a change set: its patch, its merges, and how it was tried."""
    import anyio

    from agentctl.faces.cli.session import Ended, ended_with, run_command

    async def main(session: "Session") -> Ended:
        from agentctl.domain.sandbox.changeset import changeset_bytes

        envelope = await session.call("changeset_show", {"digest": digest})
        if envelope.ok and out is not None:
            await anyio.Path(out).write_bytes(changeset_bytes(_body(envelope.data)))
        return ended_with(envelope, show=_text)

    run_command(main)


@command.command("replay", epilog=example("agentctl changeset replay DIGEST"))
@click.argument("digest", metavar="DIGEST")
@shared
def replay(digest: str, **_: object) -> None:
    """Apply a change set to a fresh copy of its base, and check every digest."""
    from agentctl.faces.cli.session import run_operation

    run_operation("changeset_replay", {"digest": digest})


@command.command("apply", epilog=example("agentctl changeset apply change.json --folder ../clone"))
@click.argument("file", metavar="FILE", type=click.Path(path_type=Path, exists=True))
@click.option(
    "--folder",
    type=click.Path(path_type=Path, exists=True, file_okay=False),
    default=Path(),
    help="A folder that is the base; default: the one you are in.",
)
@shared
@click.pass_context
def apply(context: click.Context, /, file: Path, folder: Path, **_: object) -> None:
    """Apply a change set from a file to a folder, all files or none; needs no cluster."""
    import anyio

    from agentctl.faces.cli.printing import print_diagnostics, print_json, say
    from agentctl_tools.changeset_file import apply_file

    told = anyio.run(apply_file, file, folder)
    if settings_of(context).as_json:
        print_json({"ok": not told, "diagnostics": told})
    elif told:
        print_diagnostics(told, folder=folder)
    else:
        say("The folder holds it now. Next: agentctl plan")
    sys.exit(ExitCode.ERRORS if told else ExitCode.DONE)


@command.command("merge", epilog=example("agentctl changeset merge ID supply"))
@click.argument("sandbox", metavar="SANDBOX")
@click.argument("graph", metavar="GRAPH")
@click.option("--withdraw", is_flag=True, help="Take back what waits for a human.")
@intent_option
@wait_option
@shared
def merge(
    sandbox: str,
    graph: str,
    withdraw: bool,  # noqa: FBT001  # a click option
    intent: str | None,
    wait_s: float,
    **_: object,
) -> None:
    """Bring the rows of a graph home: merge the sandbox's branch into the real one.

    Into a protected graph it is proposed: it stands in each plan, and an apply merges it when a human
    has approved.
    """
    from agentctl.faces.cli.history_text import brought_home_text
    from agentctl.faces.cli.session import run_operation

    target = sandbox_target(sandbox)
    why = intent if intent is not None else f"merge the rows of {target} into {graph}"
    asked = {"in": target, "graph": graph, "intent": why, "wait_s": wait_s, "withdraw": withdraw}
    run_operation("sandbox_merge", asked, show=lambda done: brought_home_text(done, target))


def _body(data: Any) -> "ChangeSetBody":  # noqa: ANN401  # a ChangeSetShown, or what a door elsewhere sent
    import msgspec

    from agentctl.domain.sandbox.changeset import ChangeSetBody

    return msgspec.convert(msgspec.to_builtins(data)["body"], ChangeSetBody)


def _text(data: Any) -> str:  # noqa: ANN401  # as above
    from agentctl.foreign import Foreign, show

    body = _body(data)
    lines = [f"Change set {data.digest}", f"  on {body.base.cluster_id}@{body.base.seq}"]
    for merge_of in body.merge.graphs:
        waits = ", ".join(wait.reason for wait in merge_of.waits)
        rows = sum(r.added + r.changed + r.removed for r in merge_of.rows)
        after = f" after {waits}" if waits else ""
        lines.append(f"  {merge_of.way} {rows:,} rows into {merge_of.graph}{after}")
    patch = show(Foreign(body.patch), limit=len(body.patch) + 1, multiline=True)
    return "\n".join([*lines, "", patch]).rstrip() + "\n"
