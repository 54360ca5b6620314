"""`agentctl fmt`: local, a file needs no cluster to be formatted."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.options import Settings, example, settings_of, shared

if TYPE_CHECKING:
    from agentctl.views.fmt_text import FormatResult


@click.command(
    "fmt",
    epilog=example(
        "agentctl fmt",
        "agentctl fmt supply.pg queries/",
        "agentctl fmt --check --diff",
        "agentctl fmt --stdin supply.pg < supply.pg",
    ),
)
@click.argument("paths", nargs=-1, type=click.Path(path_type=Path), metavar="[PATH]...")
@click.option("--check", is_flag=True, help="Write nothing; exit 1 where a file would change.")
@click.option("--diff", is_flag=True, help="Write nothing; print what would change.")
@click.option("--stdin", is_flag=True, help="Format stdin to stdout; PATH only names the text.")
@shared
@click.pass_context
def command(
    context: click.Context,
    /,
    paths: tuple[Path, ...],
    *,
    check: bool,
    diff: bool,
    stdin: bool,
    **_: object,
) -> None:
    """Write schemas and queries in their canonical form: files, or all below a folder.

    A file with syntax errors is left as it is, and its errors are printed.
    """
    settings = settings_of(context)
    if stdin:
        if len(paths) != 1 or not str(paths[0]).endswith((".pg", ".gq")):
            msg = "With --stdin name one .pg or .gq file; its ending says which language it is."
            raise click.UsageError(msg)
        _filter(str(paths[0]), settings, check=check, diff=diff)
    from agentctl_tools.fmt import format_files

    result = format_files(paths, folder=settings.config, check=check, diff=diff)
    _tell(result, settings, written=not (check or diff))
    sys.exit(ExitCode.DONE if result.ok else ExitCode.ERRORS)


def _filter(name: str, settings: Settings, *, check: bool, diff: bool) -> None:
    """Formats stdin to stdout and exits; with errors nothing is printed there."""
    from agentctl.faces.cli.printing import print_diagnostics, print_json
    from agentctl.views.fmt_text import fmt_text, terminal_text
    from agentctl_tools.fmt import format_stream

    data = sys.stdin.buffer.read()
    result = format_stream(data, file=name, check=check, diff=diff)
    text = result.files[0].text
    if settings.as_json:
        print_json(result)
    elif result.diagnostics:
        sources = {name: data.decode("utf-8", "replace")}
        print_diagnostics(result.diagnostics, folder=None, sources=sources)
    elif diff:
        click.echo(fmt_text(result, written=False), nl=False)
    elif text is not None and sys.stdout.isatty():
        click.echo(terminal_text(text), nl=False)
    elif text is not None:
        sys.stdout.buffer.write(text.encode("utf-8"))
    sys.exit(ExitCode.DONE if result.ok else ExitCode.ERRORS)


def _tell(result: "FormatResult", settings: Settings, *, written: bool) -> None:
    from agentctl.faces.cli.printing import print_diagnostics, print_json
    from agentctl.views.fmt_text import fmt_text

    if settings.as_json:
        print_json(result)
        return
    click.echo(fmt_text(result, written=written), nl=False)
    print_diagnostics(result.diagnostics, folder=settings.config)
