"""`agentctl`: finds the verb, loads it, runs it. Nothing heavy is imported before that."""

import gc
import importlib
import io
import os
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import shared_by_all
from agentctl.faces.cli.verbs import SECTIONS, VERBS

if TYPE_CHECKING:
    from agentctl.faces.cli.compose import Composition

COMMANDS = "agentctl.faces.cli.commands"
_MESSAGE_CELLS = 2_000
_AS_JSON = "agentctl.as_json"
_COLLECTED = (1_000_000, 20, 20)
"""How seldom Python looks for cycles. Our values are trees; a folder makes millions of them, and the
default would walk over all of them again and again."""
_COLLECTED_FOR_LONG = (100_000, 20, 20)
_LONG_LIVED = frozenset({"mcp", "reconcile", "tui"})
"""Verbs that run for hours, in which a few cycles now and then would add up."""


@contextmanager
def _safe_usage_errors(*, as_json: bool) -> Iterator[None]:
    """What was typed comes back in click's own messages, so these are shown as foreign text is.

    Args:
        as_json: whether a document is awaited on stdout, whatever was wrong with the command line.
    """
    try:
        yield
    except click.exceptions.NoArgsIsHelpError as mistake:
        if as_json:
            _print_mistake(mistake, "Missing command.")
        raise
    except click.ClickException as mistake:
        from agentctl.foreign import Foreign, show

        told = show(Foreign(mistake.message), limit=_MESSAGE_CELLS, multiline=True)
        vars(mistake)["message"] = told
        if as_json:
            _print_mistake(mistake, mistake.format_message())
        raise


def _print_mistake(mistake: click.ClickException, message: str) -> None:
    """Writes the one document of `--json` about a command line that was not understood."""
    from agentctl.diagnostics.diagnostic import error
    from agentctl.faces.cli.printing import print_json

    context = getattr(mistake, "ctx", None) or click.get_current_context(silent=True)
    verb = context.command_path if context is not None else "agentctl"
    found = error("invalid_arguments", verb, message, remedy=f"{verb} --help")
    print_json({"ok": False, "diagnostics": (found,)})


def _asks_json(args: list[str]) -> bool:
    """Returns whether `--json` stands among the options, also where the rest cannot be read."""
    return "--json" in args[: args.index("--") if "--" in args else len(args)]


class Verbs(click.Group):
    """The top-level group: verbs come from a table and are imported on use."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002  # click's signature
        """Returns the verbs, in the order of the help."""
        return list(VERBS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Imports and returns one verb."""
        verb = VERBS.get(cmd_name)
        if verb is None:
            return None
        found = importlib.import_module(f"{COMMANDS}.{verb.module}").command
        assert isinstance(found, click.Command)
        return found

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Finds the verb, or says which one was probably meant."""
        if args and args[0] not in VERBS and not args[0].startswith("-"):
            from difflib import get_close_matches

            near = get_close_matches(args[0], list(VERBS), n=1)
            hint = f" Did you mean '{near[0]}'?" if near else " See 'agentctl --help'."
            ctx.fail(f"There is no verb '{args[0]}'.{hint}")
        return super().resolve_command(ctx, args)

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401  # click's signature
    ) -> click.Context:
        """Parses the words before the verb."""
        as_json = _asks_json(args)
        with _safe_usage_errors(as_json=as_json):
            made = super().make_context(info_name, args, parent, **extra)
        made.meta[_AS_JSON] = as_json
        return made

    def invoke(self, ctx: click.Context) -> Any:  # noqa: ANN401  # click's signature
        """Parses the rest and runs the verb."""
        with _safe_usage_errors(as_json=ctx.meta[_AS_JSON]):
            return super().invoke(ctx)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """Writes the table of verbs without loading any."""
        for title, verbs in SECTIONS:
            with formatter.section(title):
                formatter.write_dl([(verb.name, verb.about) for verb in verbs])


GUIDE = """\
agentctl runs a cluster of graph databases from a folder of text.

  agentctl init supply     make a cluster
  agentctl validate        check the folder
  agentctl plan            see what would change
  agentctl apply           change it
  agentctl status          see how it stands

`agentctl --help` lists every verb; `agentctl VERB --help` explains one.
"""


@click.group(
    cls=Verbs,
    invoke_without_command=True,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 90},
    epilog="\b\nExample:\n  agentctl plan --config supply\n  agentctl --config supply plan --json",
)
@shared_by_all
@click.version_option(package_name="agentctl", prog_name="agentctl")
@click.pass_context
def cli(context: click.Context, /, **_: Any) -> None:  # noqa: ANN401  # read from the context
    """Run a cluster of graph databases; what cannot be undone waits for a human."""
    if context.invoked_subcommand is None:
        click.echo(GUIDE, nl=False)
    if context.invoked_subcommand in _LONG_LIVED:
        gc.set_threshold(*_COLLECTED_FOR_LONG)


def main(compose: "Callable[[], Composition] | None" = None) -> None:
    """Runs the command line.

    Args:
        compose: builds what commands run on; a test's own process hands in another one.
    """
    gc.set_threshold(*_COLLECTED)
    _never_unspeakable()
    try:
        try:
            cli.main(args=sys.argv[1:], prog_name="agentctl", obj=compose)
        finally:
            sys.stdout.flush()
            # The process ends: nobody is to walk once more over all that it made. DuckDB wants that
            # walk, and else tells stderr of every class that it has.
            if "duckdb" not in sys.modules:
                gc.freeze()
    except BrokenPipeError:
        _drop_the_rest()
        sys.exit(1)
    except OSError as failure:
        _drop_the_rest()
        sys.stderr.write(f"agentctl: the output could not be written: {failure.strerror}\n")
        sys.exit(5)


def _never_unspeakable() -> None:
    """Writes what the terminal's encoding lacks as an escape, in place of a traceback."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")


def _drop_the_rest() -> None:
    """Sends what is still buffered nowhere, so that leaving does not fail on it again."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
