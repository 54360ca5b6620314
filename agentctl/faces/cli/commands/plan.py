"""`agentctl plan`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import click

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.options import example, in_option, no_cache_option, place, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session


@click.command(
    "plan",
    epilog=example(
        "agentctl plan --config supply",
        "agentctl plan --draft 01J9ZC4R3Q --out plan.json",
        "agentctl plan --refresh --exit-code --json",
        "agentctl plan --markdown > plan.md",
    ),
)
@click.option("--draft", metavar="ID", help="Plan a draft instead of the folder.")
@in_option
@click.option(
    "--out",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Write the plan to a file, for `apply FILE`.",
)
@click.option(
    "--refresh", is_flag=True, help="Look at payloads and live graphs first, and show drift."
)
@click.option("--peek", is_flag=True, help="Count the rows that a narrower schema would refuse.")
@click.option("--all", "whole", is_flag=True, help="List every change, also where many are alike.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a pull request.")
@click.option("--exit-code", "tell", is_flag=True, help="Exit 10 where there is something to do.")
@no_cache_option
@shared
def command(**given: Any) -> None:  # noqa: ANN401  # the options above
    """Show what an apply would do now: every change, its class, and what waits for a human."""
    from agentctl.faces.cli.session import run_command

    asked = Asked(
        target=place(given["within"], given["draft"]),
        out=given["out"],
        refresh=given["refresh"],
        peek=given["peek"],
        whole=given["whole"],
        markdown=given["markdown"],
        tell=given["tell"],
    )
    if asked.markdown and given["as_json"]:
        msg = "Give --markdown or --json, not both."
        raise click.UsageError(msg)

    async def main(session: "Session") -> "Ended":
        return await _plan(session, asked)

    run_command(main)


class Asked(NamedTuple):
    """What the options of the verb say."""

    target: str
    """What `in` says."""
    out: Path | None
    refresh: bool
    peek: bool
    whole: bool
    markdown: bool
    tell: bool


async def _plan(session: "Session", asked: Asked) -> "Ended":
    from agentctl.faces.cli.session import Ended

    arguments = {
        "in": asked.target,
        "keep": asked.out is not None,
        "refresh": asked.refresh,
        "peek": asked.peek,
    }
    envelope = await session.call("plan", arguments)
    if envelope.data is None:
        return Ended(envelope=envelope)
    answer: Any = envelope.data
    result = answer.result
    if asked.out is not None and envelope.ok:
        kept = await session.call("plan_show", {"plan_id": result.plan_digest})
        if not kept.ok:
            return Ended(envelope=kept)
        await _write(asked.out, kept.data)
    return Ended(
        envelope=envelope,
        text=_text(answer, asked),
        raw=result,
        code=ExitCode.PLANNED if asked.tell and result.changes else None,
    )


def _text(answer: Any, asked: Asked) -> str:  # noqa: ANN401  # a PlanAnswer, by the registry
    if asked.markdown:
        from agentctl.views.plan_markdown import plan_markdown

        return plan_markdown(answer.result, gates=answer.gates)
    from agentctl.views.plan_text import plan_text

    return plan_text(answer.result, gates=answer.gates, whole=asked.whole)


async def _write(out: Path, kept: object) -> None:
    import anyio

    from agentctl.canonical import canonical_bytes

    await anyio.Path(out).write_bytes(canonical_bytes(kept))
