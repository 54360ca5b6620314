"""`agentctl plan`."""

from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.options import example, no_cache_option, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.command(
    "plan",
    epilog=example(
        "agentctl plan --config supply",
        "agentctl plan --draft 01J9ZC4R3Q --out plan.json",
        "agentctl plan --exit-code --json",
    ),
)
@click.option("--draft", metavar="ID", help="Plan a draft instead of the folder.")
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the plan to a file, for `apply FILE`.",
)
@click.option("--exit-code", "tell", is_flag=True, help="Exit 10 where there is something to do.")
@no_cache_option
@shared
def command(draft: str | None, out: Path | None, tell: bool, **_: object) -> None:  # noqa: FBT001
    """Show what an apply would do now: every change, its class, and what waits for a human."""
    from agentctl.faces.cli.session import run_command

    async def main(session: "Session") -> "Ended":
        return await _plan(session, draft or "cluster", out, tell=tell)

    run_command(main)


async def _plan(session: "Session", within: str, out: Path | None, *, tell: bool) -> "Ended":
    from agentctl.faces.cli.session import Ended
    from agentctl.views.plan_text import plan_text

    envelope = await session.call("plan", {"in": within, "keep": out is not None})
    if envelope.data is None:
        return Ended(envelope=envelope)
    result = envelope.data.result  # type: ignore[attr-defined]  # a PlanAnswer, by the registry
    if out is not None and envelope.ok:
        kept = await session.call("plan_show", {"plan_id": result.plan_digest})
        if not kept.ok:
            return Ended(envelope=kept)
        await _write(out, kept.data)
    return Ended(
        envelope=envelope,
        text=plan_text(result),
        raw=result,
        code=ExitCode.PLANNED if tell and result.changes else None,
    )


async def _write(out: Path, kept: object) -> None:
    import anyio

    from agentctl.canonical import canonical_bytes

    await anyio.Path(out).write_bytes(canonical_bytes(kept))
