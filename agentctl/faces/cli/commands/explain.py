"""`agentctl explain`: local, needs no cluster."""

import sys

import click

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.options import example, settings_of, shared


@click.command(
    "explain",
    epilog=example(
        "agentctl explain plan_stale",
        "agentctl explain T15:hop-bounds",
        "agentctl explain OG-MF-103",
        "agentctl explain gate",
    ),
)
@click.argument("what", metavar="CODE|RULE|TERM")
@shared
@click.pass_context
def command(context: click.Context, /, what: str, **_: object) -> None:
    """Say what a diagnostic code, a rule or a term means, and what to do about it."""
    from agentctl.diagnostics.diagnostic import Diagnostic
    from agentctl.faces.cli.printing import print_diagnostics, print_json
    from agentctl_tools.explain import explain

    settings = settings_of(context)
    found = explain(what)
    if isinstance(found, Diagnostic):
        if settings.as_json:
            print_json({"ok": False, "diagnostics": [found]})
        else:
            print_diagnostics((found,), folder=settings.config)
        sys.exit(ExitCode.ERRORS)
    if settings.as_json:
        print_json(found)
    else:
        told = f"{found.name} ({found.kind})\n{found.about}"
        click.echo(f"{told}\n\n{found.explanation}" if found.explanation else told)
