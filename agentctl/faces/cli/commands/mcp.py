"""`agentctl mcp`: serves the cluster to one agent over stdin and stdout."""

import sys
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.exit_codes import exit_code
from agentctl.faces.cli.options import Settings, example, settings_of, shared

if TYPE_CHECKING:
    from agentctl.diagnostics.diagnostic import Diagnostic
    from agentctl.faces.cli.compose import Composition

_SWEEP_CELLS = 500


@click.command(
    "mcp", epilog=example("agentctl mcp --config supply", "agentctl mcp --principal agent:ci")
)
@click.option("--principal", metavar="NAME", help="An enrolled agent; default: agent:<you>.")
@click.option(
    "--toolsets",
    metavar="NAMES",
    default="",
    help="More tools, by comma: operator (refresh, import, locks, force_unlock, reconcile), "
    "commands (sandbox_start, sandbox_run, sandbox_look), rows (sandbox_merge), "
    "playbooks (playbook_*).",
)
@shared
@click.pass_context
def command(context: click.Context, /, principal: str | None, toolsets: str, **_: object) -> None:
    """Serve the cluster over stdio to an MCP client. A session is an agent, never a human."""
    import anyio

    from agentctl.faces.cli.printing import print_diagnostics
    from agentctl.faces.cli.session import composition_of, folder_here

    settings = settings_of(context)
    instead = "Let the client connect to /mcp of its `agentctl serve`"
    folder_here(context, "A server over stdio", instead, as_agent=True)
    refusal = anyio.run(_serve, composition_of(context), settings, principal, _named(toolsets))
    if refusal:
        print_diagnostics(refusal, folder=settings.config)
        sys.exit(exit_code(ok=False, diagnostics=refusal))


def _named(written: str) -> frozenset[str]:
    """Returns the toolsets that the command line names."""
    from agentctl.faces.mcp_server.projection import TOOLSETS

    named = frozenset(name.strip() for name in written.split(",") if name.strip())
    unknown = sorted(named - set(TOOLSETS))
    if unknown:
        msg = f"there is no toolset {unknown[0]!r}; there is: {', '.join(TOOLSETS)}"
        raise click.BadParameter(msg, param_hint="--toolsets")
    return named


async def _serve(
    composition: "Composition", settings: Settings, principal: str | None, toolsets: frozenset[str]
) -> "tuple[Diagnostic, ...]":
    try:
        return await _serve_opened(composition, settings, principal, toolsets)
    finally:
        await composition.aclose()


async def _serve_opened(
    composition: "Composition", settings: Settings, principal: str | None, toolsets: frozenset[str]
) -> "tuple[Diagnostic, ...]":
    from agentctl.diagnostics.diagnostic import Diagnostic
    from agentctl.faces.mcp_server.server import serve_stdio
    from agentctl_tools.callers import agent_of
    from agentctl_tools.entrance import Entrance
    from agentctl_tools.failures import diagnostics_of
    from agentctl_tools.sandbox_sweeping import sweeping

    try:
        cluster = await composition.open(settings.config)
        agent = await agent_of(cluster, keys=composition.key_texts(), principal=principal)
    except Exception as failure:
        known = diagnostics_of(failure)
        if known is None:
            raise
        return known
    if isinstance(agent, Diagnostic):
        return (agent,)

    async with sweeping(cluster, _tell_of_sweeps):
        await serve_stdio(Entrance(cluster, agent, toolsets=toolsets), toolsets=toolsets)
    return ()


def _tell_of_sweeps(line: str) -> None:
    from agentctl.faces.cli.printing import say
    from agentctl.views.wording import safe

    say(safe(line, _SWEEP_CELLS))
