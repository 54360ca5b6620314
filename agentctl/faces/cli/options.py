"""The options that every verb takes, before or after it, and how its help looks."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeVar

import click

F = TypeVar("F", bound=Callable[..., Any])
SANDBOX: Final = "sandbox:"
"""What the target of a call in a sandbox begins with."""


class Settings(NamedTuple):
    """What the shared options say."""

    config: Path
    as_json: bool
    label: str | None
    cached: bool = True
    """Whether the parse cache may answer for files that did not change."""
    config_named: bool = False
    """Whether ``--config`` was given: then a folder here is meant, whatever context is current."""
    context: str | None = None
    token_file: Path | None = None


def shared(command: F) -> F:
    """Adds the shared options to a command."""
    return _shared(command, shown=())


def shared_by_all(command: F) -> F:
    """Adds the shared options to the whole command line, whose help alone shows the rarer ones."""
    return _shared(command, shown=("--context", "--token-file"))


def shared_with_token(command: F) -> F:
    """Adds the shared options to a command that is about a token's file, and shows that one."""
    return _shared(command, shown=("--token-file",))


def _shared(command: F, *, shown: tuple[str, ...]) -> F:
    for option in (
        click.option(
            "--token-file",
            metavar="FILE",
            type=click.Path(path_type=Path),
            hidden="--token-file" not in shown,
            help="Call as whom the token in it names; so does AGENTCTL_TOKEN.",
        ),
        click.option(
            "--context",
            "context_name",
            metavar="NAME",
            hidden="--context" not in shown,
            help="A cluster elsewhere: agentctl context.",
        ),
        click.option("--as", "label", metavar="NAME", help="A label for people in the records."),
        click.option("--json", "as_json", is_flag=True, help="Print one JSON document."),
        click.option(
            "--config",
            metavar="DIR",
            type=click.Path(path_type=Path),
            help="The cluster's folder; default: here.",
        ),
    ):
        command = option(command)
    return command


def config_option(about: str) -> Callable[[F], F]:
    """Adds ``--config`` alone, to a verb that works on no cluster that is there already."""
    return click.option("--config", metavar="DIR", type=click.Path(path_type=Path), help=about)


def intent_option(command: F) -> F:
    """Adds ``-m``; the verb and its target stand in where it is not given."""
    return click.option("-m", "--intent", metavar="TEXT", help="Why; kept in the record.")(command)


def wait_option(command: F) -> F:
    """Adds ``--wait``: how long a lease that somebody else holds is waited for."""
    about = "For a held lease."
    return click.option("--wait", "wait_s", metavar="SECONDS", type=float, default=0.0, help=about)(
        command
    )


def in_option(command: F) -> F:
    """Adds ``--in``: the sandbox that the call is made in, by its id or its name."""
    about = "Do it in a sandbox, by id or name; nothing real changes."
    return click.option("--in", "within", metavar="SANDBOX", help=about)(command)


def place(within: str | None, draft: str | None = None) -> str:
    """Returns what an operation takes as `in`: a sandbox, a draft, or the cluster where neither is named.

    A sandbox's name stands for its id; the session finds out which it is.

    Raises:
        click.UsageError: both are named.
    """
    if within is None:
        return draft or "cluster"
    if draft is not None:
        msg = "Give --draft or --in, not both: a sandbox has edits of its own."
        raise click.UsageError(msg)
    return sandbox_target(within)


def sandbox_target(written: str) -> str:
    """Returns `in` for a sandbox as it was typed: its id or its name, alone or behind ``sandbox:``.

    Raises:
        click.UsageError: nothing is named.
    """
    name = written.removeprefix(SANDBOX)
    if not name:
        msg = "A sandbox is named by its id or its name: agentctl sandbox list."
        raise click.UsageError(msg)
    return f"{SANDBOX}{name}"


def gate_options(command: F) -> F:
    """Adds ``--gate`` and ``--on-failure`` to a verb that makes an op."""
    gates = "KIND:RESOURCE[,NAME=VALUE]; all have to say yes before anything is done."
    actions = "KIND:RESOURCE[,NAME=VALUE]; carried out where the op fails."
    for option in (
        click.option("--on-failure", metavar="ACTION", multiple=True, help=actions),
        click.option("--gate", "gates", metavar="GATE", multiple=True, help=gates),
    ):
        command = option(command)
    return command


def concise_option(command: F) -> F:
    """Adds ``--concise``: each diagnostic on one line."""
    about = "Print each diagnostic on one line, without its excerpt."
    return click.option("--concise", is_flag=True, help=about)(command)


def no_cache_option(command: F) -> F:
    """Adds ``--no-cache`` to a verb that looks at the folder's files."""
    about = "Read every file anew, and remember nothing."
    return click.option("--no-cache", is_flag=True, help=about)(command)


def example(*lines: str) -> str:
    """Returns the epilog of a help text; each line is a command as one would type it."""
    return "\b\nExample:\n" + "\n".join(f"  {line}" for line in lines)


def settings_of(context: click.Context) -> Settings:
    """Returns the shared options of a verb: the nearest one that was given counts."""
    return Settings(
        config=_nearest(context, "config") or Path(),
        as_json=bool(_nearest(context, "as_json")),
        label=_nearest(context, "label"),
        cached=not _nearest(context, "no_cache"),
        config_named=_nearest(context, "config") is not None,
        context=_nearest(context, "context_name"),
        token_file=_nearest(context, "token_file"),
    )


def config_given(context: click.Context) -> Path | None:
    """Returns what ``--config`` names, before or after the verb, or None where it was not given."""
    found: Path | None = _nearest(context, "config")
    return found


def _nearest(context: click.Context, name: str) -> Any:  # noqa: ANN401  # whatever click parsed
    found: click.Context | None = context
    while found is not None:
        value = found.params.get(name)
        if value:
            return value
        found = found.parent
    return None
