"""`agentctl version`."""

import click

from agentctl.faces.cli.options import example, settings_of, shared


@click.command("version", epilog=example("agentctl version --json"))
@shared
@click.pass_context
def command(context: click.Context, /, **_: object) -> None:
    """Print the version of agentctl and of Python."""
    import platform
    from importlib.metadata import version

    found = {"agentctl": version("agentctl"), "python": platform.python_version()}
    if settings_of(context).as_json:
        from agentctl.faces.cli.printing import print_json

        print_json(found)
    else:
        click.echo(f"agentctl {found['agentctl']} (Python {found['python']})")
