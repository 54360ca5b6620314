"""`agentctl json-schema`: local, needs no cluster."""

import sys

import click

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.options import example, settings_of, shared


@click.command(
    "json-schema",
    epilog=example(
        "agentctl json-schema",
        "agentctl json-schema validate",
        "agentctl json-schema cluster.yaml > cluster.schema.json",
    ),
)
@click.argument("output", required=False)
@shared
@click.pass_context
def command(context: click.Context, /, output: str | None, **_: object) -> None:
    """Print the JSON Schema of an output or of cluster.yaml; without a name, list them."""
    from agentctl.diagnostics.diagnostic import Diagnostic
    from agentctl.faces.cli.printing import print_diagnostics, print_json
    from agentctl_tools.json_schema import outputs, schema_of

    settings = settings_of(context)
    if output is None:
        listed = outputs()
        if settings.as_json:
            print_json(listed)
            return
        width = max(len(entry.name) for entry in listed.outputs)
        for entry in listed.outputs:
            click.echo(f"{entry.name:<{width}}  {entry.about}")
        return
    found = schema_of(output)
    if not isinstance(found, Diagnostic):
        print_json(found)
        return
    if settings.as_json:
        print_json({"ok": False, "diagnostics": [found]})
    else:
        print_diagnostics((found,), folder=settings.config)
    sys.exit(ExitCode.ERRORS)
