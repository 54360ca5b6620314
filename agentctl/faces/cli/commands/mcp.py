"""`agentctl mcp`: serves the cluster to one agent over stdin and stdout."""

import sys
from collections.abc import Mapping
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.exit_codes import exit_code
from agentctl.faces.cli.options import Settings, example, settings_of, shared

if TYPE_CHECKING:
    from agentctl.diagnostics.diagnostic import Diagnostic
    from agentctl.faces.cli.compose import Composition
    from agentctl_tools.operation import Envelope, Notify


@click.command(
    "mcp", epilog=example("agentctl mcp --config supply", "agentctl mcp --principal agent:ci")
)
@click.option("--principal", metavar="NAME", help="An enrolled agent; default: agent:<you>.")
@shared
@click.pass_context
def command(context: click.Context, /, principal: str | None, **_: object) -> None:
    """Serve the cluster over stdio to an MCP client. A session is an agent, never a human."""
    import anyio

    from agentctl.faces.cli.printing import print_diagnostics
    from agentctl.faces.cli.session import composition_of

    settings = settings_of(context)
    refusal = anyio.run(_serve, composition_of(context), settings, principal)
    if refusal:
        print_diagnostics(refusal, folder=settings.config)
        sys.exit(exit_code(ok=False, diagnostics=refusal))


async def _serve(
    composition: "Composition", settings: Settings, principal: str | None
) -> "tuple[Diagnostic, ...]":
    try:
        return await _serve_opened(composition, settings, principal)
    finally:
        await composition.aclose()


async def _serve_opened(
    composition: "Composition", settings: Settings, principal: str | None
) -> "tuple[Diagnostic, ...]":
    from agentctl.diagnostics.diagnostic import Diagnostic
    from agentctl.faces.mcp_server.server import serve_stdio
    from agentctl_tools.callers import agent_of
    from agentctl_tools.door import call
    from agentctl_tools.failures import diagnostics_of

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

    async def door(
        operation: str, arguments: Mapping[str, object], *, notify: "Notify | None" = None
    ) -> "Envelope":
        return await call(cluster, agent, operation, arguments, notify=notify)

    await serve_stdio(door)
    return ()
