"""`agentctl demo`."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.options import config_given, config_option, example

if TYPE_CHECKING:
    from agentctl.faces.cli.host import WorldHost


@click.command(
    "demo", epilog=example("agentctl demo", "agentctl demo --auto --config supply-chain")
)
@click.option("--auto", is_flag=True, help="Let the demo's own human decide; the output says so.")
@config_option("Where to make the cluster; default: a new folder supply-chain-N here.")
@click.pass_context
def command(context: click.Context, /, *, auto: bool, **_: object) -> None:
    """Run the whole thread on this machine's own Python packages: agent, gate, human, ledger."""
    import anyio

    from agentctl.faces.cli.exit_codes import ExitCode
    from agentctl.faces.cli.session import composition_of
    from agentctl.faces.cli.streams import at_a_terminal
    from agentctl_evals.demo.run import DemoError

    if not auto and not at_a_terminal():
        context.fail("Without a terminal there is nobody to decide: add --auto.")
    where = _fresh(context, config_given(context))
    try:
        anyio.run(_run, composition_of(context), where, auto)
    except KeyboardInterrupt:
        click.echo(f"The demo was interrupted; what it made is in {where}.", err=True)
        sys.exit(ExitCode.ERRORS)
    except DemoError as failure:
        click.echo(f"The demo stopped: {failure}", err=True)
        sys.exit(ExitCode.ERRORS)


def _fresh(context: click.Context, folder: Path | None) -> Path:
    """Returns the folder of the demo, made; one that holds something is refused."""
    if folder is None:
        taken = {path.name for path in Path().iterdir()}
        number = next(n for n in range(1, len(taken) + 2) if f"supply-chain-{n}" not in taken)
        folder = Path(f"supply-chain-{number}")
    if folder.exists() and any(folder.iterdir()):
        context.fail(f"{folder} is not empty; the demo makes a cluster in a new folder.")
    folder.mkdir(parents=True, exist_ok=True)
    return folder


async def _run(composition: object, folder: Path, auto: bool) -> None:  # noqa: FBT001  # anyio.run
    from agentctl.faces.cli.compose import Composition
    from agentctl.faces.cli.host import WorldHost
    from agentctl_evals.demo.run import run_demo

    assert isinstance(composition, Composition)
    host = WorldHost(composition)

    async def decide(request_id: str) -> str:
        if auto:
            await _decide_itself(host, folder, request_id)
        else:
            await _ask_the_person(host, folder, request_id)
        return await _standing(host, folder, request_id)

    await run_demo(folder, host=host, decide=decide, say=click.echo)


async def _decide_itself(host: "WorldHost", folder: Path, request_id: str) -> None:
    """Shows the page and decides as the demo's human; the output says that no person did."""
    from agentctl.domain.approval.facts import DecisionFacts
    from agentctl.views.decision import decision_page, page_text

    async with host.operator(folder) as operator:
        shown = await operator.human.call("approval_show", {"id": request_id})
        if isinstance(shown.data, DecisionFacts):
            click.echo(page_text(decision_page(shown.data)), nl=False)
        click.echo("   --auto: no person looked. The demo's human, whose key has assurance `demo`")
        click.echo("   and is accepted by this cluster only, decides through the same door:")
        decided = await operator.decide(request_id, "approve", None)
        click.echo(f"   {decided.summary}")


async def _ask_the_person(host: "WorldHost", folder: Path, request_id: str) -> None:
    """Opens the decision page; the person signs with the demo's key by typing the resource's name."""
    from agentctl.faces.cli.door_feed import DoorFeed
    from agentctl_tui.app import run

    click.echo("   The decision page opens; `a` approves, `d` denies, and you may just leave.")
    async with host.operator(folder) as operator:
        signer = host.human_signer(folder)
        feed = DoorFeed(operator.human, make_signer=lambda _: signer, locked=False)
        await run(feed, request_id=request_id, once=True)


async def _standing(host: "WorldHost", folder: Path, request_id: str) -> str:
    from agentctl.domain.approval.facts import DecisionFacts

    async with host.operator(folder) as operator:
        shown = await operator.human.call("approval_show", {"id": request_id})
        return shown.data.standing if isinstance(shown.data, DecisionFacts) else "not to be found"
