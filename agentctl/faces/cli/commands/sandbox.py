"""`agentctl sandbox`: own copies of the whole cluster, to try things in."""

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.commands.sandbox_commands import VERBS, life_s
from agentctl.faces.cli.json_values import object_of
from agentctl.faces.cli.options import example, place, sandbox_target, shared

if TYPE_CHECKING:
    from agentctl_tools.sandbox_open import SandboxOpened
    from agentctl_tools.sandbox_snapshot import SandboxDiff

_NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,62}[A-Za-z0-9])?", re.ASCII)

_sandbox = click.argument("sandbox", metavar="SANDBOX")


@click.group(
    "sandbox",
    epilog=example(
        "agentctl sandbox open try",
        "agentctl plan --in try",
        "agentctl sandbox diff try",
        "agentctl sandbox close try",
    ),
)
@shared
def command(**_: object) -> None:
    """Copies of the whole cluster, graphs too, in which nothing is real.

    SANDBOX is the id of one, or its name. Other verbs take it as --in.
    """


@command.command(
    "open",
    epilog=example(
        "agentctl sandbox open try --ttl 2h", "agentctl sandbox open --draft 01J9ZC4R3Q"
    ),
)
@click.argument("name", metavar="[NAME]", required=False)
@click.option("--draft", metavar="ID", help="Begin with a draft's edits; it becomes the sandbox.")
@click.option("--ttl", metavar="AGE", help="Its life, as 90m, 2h or 7d; default: 24h.")
@click.option("-m", "--purpose", metavar="TEXT", default="", help="What for; kept in the record.")
@shared
def open_one(
    name: str | None, draft: str | None, ttl: str | None, purpose: str, **_: object
) -> None:
    """Open a sandbox; it costs a branch for each graph, whatever their size."""
    from agentctl.faces.cli.session import run_operation

    if name is not None and not _NAME.fullmatch(name):
        msg = "it is up to 64 letters, digits, '.', '_' and '-', with no sign at its ends"
        raise click.BadParameter(msg, param_hint="NAME")
    arguments: dict[str, object] = {"in": place(None, draft), "name": name, "purpose": purpose}
    if ttl is not None:
        arguments["ttl_s"] = life_s(ttl)
    run_operation("sandbox_open", arguments, show=_opened)


@command.command("list", epilog=example("agentctl sandbox list --json"))
@shared
def list_sandboxes(**_: object) -> None:
    """List the sandboxes that are there: an agent sees its own, a human all."""
    from agentctl.faces.cli.sandbox_text import sandboxes_text
    from agentctl.faces.cli.session import run_operation

    run_operation("sandbox_list", {}, show=sandboxes_text)


@command.command("show", epilog=example("agentctl sandbox show try"))
@_sandbox
@shared
def show(sandbox: str, **_: object) -> None:
    """Show one sandbox: what it stands on, its snapshots, what it uses up."""
    from agentctl.faces.cli.sandbox_text import sandbox_text
    from agentctl.faces.cli.session import run_operation

    run_operation("sandbox_show", {"in": sandbox_target(sandbox)}, show=sandbox_text)


@command.command(
    "edit",
    epilog=example(
        "agentctl sandbox edit try queries/new.gq --from new.gq",
        "agentctl sandbox edit try queries/old.gq --remove",
    ),
)
@_sandbox
@click.argument("path", metavar="PATH")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The whole new content.",
)
@click.option("--remove", is_flag=True, help="Take the file away.")
@shared
def edit(sandbox: str, path: str, source: Path | None, *, remove: bool, **_: object) -> None:
    """Change one file of the configuration in a sandbox; the folder stays as it is."""
    from agentctl.faces.cli.session import run_operation

    if (source is None) != remove:
        msg = "Give either --from FILE or --remove."
        raise click.UsageError(msg)
    arguments: dict[str, object] = {"in": sandbox_target(sandbox), "path": path, "remove": remove}
    if source is not None:
        arguments["content"] = source.read_text(encoding="utf-8")
    run_operation("draft_edit", arguments)


@command.command(
    "write",
    epilog=example(
        "agentctl sandbox write try supply rows.ndjson --mode merge",
        'agentctl sandbox write try --query supply.add --params \'{"name": "json"}\'',
    ),
)
@_sandbox
@click.argument("graph", metavar="[GRAPH]", required=False)
@click.argument("file", metavar="[FILE]", required=False)
@click.option(
    "--mode",
    type=click.Choice(["append", "merge", "overwrite"]),
    default="append",
    help="As of `load`.",
)
@click.option("--query", metavar="GRAPH.NAME", help="A stored mutation, in place of rows.")
@click.option("--params", metavar="JSON", default="{}", help="Its values by name.")
@click.option("--branch", metavar="B", default="main", help="Of the graph; default: main.")
@shared
def write(  # noqa: PLR0913  # its options
    sandbox: str,
    graph: str | None,
    file: str | None,
    mode: str,
    query: str | None,
    params: str,
    branch: str,
    **_: object,
) -> None:
    """Write NDJSON rows of FILE (`-`: what is piped in) to a graph, or run a stored mutation.

    For CSV, Parquet and large files: agentctl load --in SANDBOX.
    """
    from agentctl.faces.cli.session import run_operation

    asked: dict[str, object] = {"in": sandbox_target(sandbox), "branch": branch}
    if query is not None and graph is None:
        asked |= {"query": query, "params": object_of(params, "--params")}
    elif query is None and graph is not None and file is not None:
        asked |= {"graph": graph, "rows": _rows(file), "mode": mode}
    else:
        msg = "Give GRAPH and FILE, or --query GRAPH.NAME."
        raise click.UsageError(msg)
    run_operation("sandbox_write", asked)


@command.command("snapshot", epilog=example("agentctl sandbox snapshot try before"))
@_sandbox
@click.argument("name", metavar="NAME")
@shared
def snapshot(sandbox: str, name: str, **_: object) -> None:
    """Keep a sandbox as it is now, under a name."""
    from agentctl.faces.cli.session import run_operation

    run_operation("sandbox_snapshot", {"in": sandbox_target(sandbox), "name": name})


@command.command("restore", epilog=example("agentctl sandbox restore try before"))
@_sandbox
@click.argument("name", metavar="NAME")
@shared
def restore(sandbox: str, name: str, **_: object) -> None:
    """Bring a sandbox back to one of its snapshots, files and rows."""
    from agentctl.faces.cli.session import run_operation

    run_operation("sandbox_restore", {"in": sandbox_target(sandbox), "name": name})


@command.command(
    "diff",
    epilog=example(
        "agentctl sandbox diff try",
        "agentctl sandbox diff try before after --all",
        "agentctl sandbox diff try --markdown > changes.md",
    ),
)
@_sandbox
@click.argument("before", metavar="[SNAPSHOT]", required=False)
@click.argument("after", metavar="[SNAPSHOT]", required=False)
@click.option("--all", "whole", is_flag=True, help="List everything, also where it is much.")
@click.option("--markdown", is_flag=True, help="Print Markdown, for a pull request.")
@shared
@click.pass_context
def diff(  # its options
    context: click.Context,
    /,
    sandbox: str,
    before: str | None,
    after: str | None,
    *,
    whole: bool,
    markdown: bool,
    **_: object,
) -> None:
    """Show what changed in a sandbox: files, types, queries, policies, rows, and what was run.

    Without snapshots: since it was opened (`base`), until `now`.
    """
    from agentctl.faces.cli.options import settings_of
    from agentctl.faces.cli.session import run_operation

    if markdown and settings_of(context).as_json:
        context.fail("Give --markdown or --json, not both.")
    asked: dict[str, object] = {"in": sandbox_target(sandbox)}
    asked |= {"before": before} if before is not None else {}
    asked |= {"after": after} if after is not None else {}
    run_operation(
        "sandbox_diff", asked, show=lambda data: _diff(data, whole=whole, markdown=markdown)
    )


@command.command("commands", epilog=example("agentctl sandbox commands try --limit 10"))
@_sandbox
@click.option("--limit", metavar="N", type=int, default=50, help="How many; oldest first.")
@click.option("--offset", metavar="N", type=int, default=0, help="Leave out the first N.")
@shared
def commands(sandbox: str, limit: int, offset: int, **_: object) -> None:
    """Tell what was done in a sandbox, call by call, without its secrets."""
    from agentctl.faces.cli.sandbox_text import commands_text
    from agentctl.faces.cli.session import run_operation

    asked = {"in": sandbox_target(sandbox), "limit": limit, "offset": offset}
    run_operation("sandbox_commands", asked, show=lambda data: commands_text(data, offset))


@command.command("close", epilog=example("agentctl sandbox close try"))
@_sandbox
@shared
def close(sandbox: str, **_: object) -> None:
    """Close a sandbox; nothing of it is left."""
    from agentctl.faces.cli.session import run_operation

    run_operation("sandbox_close", {"in": sandbox_target(sandbox)})


@command.command("gc", epilog=example("agentctl sandbox gc"))
@shared
def gc(**_: object) -> None:
    """Take away every sandbox whose time is over, and what was left of others.

    A server does so by itself, when it starts and every minute.
    """
    from agentctl.faces.cli.sandbox_text import swept_text
    from agentctl.faces.cli.session import run_operation

    run_operation("sandbox_sweep", {}, show=swept_text)


def _rows(file: str) -> str:
    """Returns the rows of a file, or what is piped in."""
    try:
        raw = sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
        return raw.decode("utf-8-sig")
    except OSError as failure:
        msg = f"'{file}' cannot be read: {failure.strerror}"
        raise click.BadParameter(msg, param_hint="FILE") from failure
    except UnicodeDecodeError as failure:
        msg = f"'{file}' is not UTF-8"
        raise click.BadParameter(msg, param_hint="FILE") from failure


for _verb in VERBS:
    command.add_command(_verb)


def _opened(data: "SandboxOpened") -> str:
    from agentctl.faces.cli.sandbox_text import opened_text

    return opened_text(data)


def _diff(data: "SandboxDiff", *, whole: bool, markdown: bool) -> str:
    from agentctl.views.sandbox_text import render_difference, render_difference_markdown

    render: Any = render_difference_markdown if markdown else render_difference
    text: str = render(data.changes, whole=whole)
    return text if data.commands_known else f"{text.rstrip()}\n\nCommands: not known.\n"
