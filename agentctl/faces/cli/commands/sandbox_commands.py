"""`agentctl sandbox start`, `run`, `stop`, `look`, `prepare`: copies of folders and machines to run commands in."""

import sys
from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.options import example, sandbox_target, shared

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session

_TTL_MIN_S = 60
_TTL_MAX_S = 30 * 86_400

_sandbox = click.argument("sandbox", metavar="SANDBOX")


@click.command(
    "start",
    epilog=example(
        "agentctl sandbox start shell --ttl 2h",
        "agentctl sandbox start site --source site",
        "agentctl sandbox start --again shell",
    ),
)
@click.argument("name", metavar="[NAME]", required=False)
@click.option(
    "--provider",
    type=click.Choice(["process", "vm"]),
    default="process",
    help="A copy of a folder, or of a machine.",
)
@click.option(
    "--source",
    metavar="SOURCE",
    default="folder",
    help="What it is a copy of; default: the configuration.",
)
@click.option("--again", metavar="SANDBOX", help="Start one again that was stopped.")
@click.option("--ttl", metavar="AGE", help="Its life, as 90m, 2h or 7d; default: 24h.")
@click.option("--cpus", metavar="N", type=int, help="Of a machine.")
@click.option("--memory", metavar="MB", type=int, help="What it may use.")
@click.option("--storage", metavar="MB", type=int, help="What it may hold.")
@click.option("-m", "--purpose", metavar="TEXT", default="", help="What for; kept in the record.")
@shared
def start(  # noqa: PLR0913  # its options
    name: str | None,
    provider: str,
    source: str,
    again: str | None,
    ttl: str | None,
    cpus: int | None,
    memory: int | None,
    storage: int | None,
    purpose: str,
    **_: object,
) -> None:
    """Start a copy of a folder, or of a machine, to run commands in.

    SOURCE is one that the operator's profile names, `folder`, or sandbox:ID.
    """
    from agentctl.faces.cli.session import run_operation

    if again is not None:
        run_operation("sandbox_start", {"in": sandbox_target(again)}, show=_started)
    asked: dict[str, object] = {"provider": provider, "source": source, "purpose": purpose}
    sizes = {"name": name, "vcpus": cpus, "memory_mb": memory, "storage_mb": storage}
    asked |= {field: value for field, value in sizes.items() if value is not None}
    if ttl is not None:
        asked["ttl_s"] = life_s(ttl)
    run_operation("sandbox_start", asked, show=_started)


@click.command(
    "run",
    context_settings={"ignore_unknown_options": True, "allow_interspersed_args": False},
    epilog=example("agentctl sandbox run shell ls -la", "agentctl sandbox run --stdin shell wc -l"),
)
@click.option("--cwd", metavar="FOLDER", default=".", help="Within the sandbox.")
@click.option("--env", metavar="NAME=VALUE", multiple=True, help="A variable; may be repeated.")
@click.option("--stdin", "piped", is_flag=True, help="Hand on what is piped in.")
@click.option("--timeout", metavar="AGE", default="60s", help="After which it is killed.")
@_sandbox
@click.argument("command", metavar="COMMAND...", nargs=-1, required=True, type=click.UNPROCESSED)
@shared
def run(  # its options
    sandbox: str,
    command: tuple[str, ...],
    cwd: str,
    env: tuple[str, ...],
    timeout: str,
    *,
    piped: bool,
    **_: object,
) -> None:
    """Run a command in a sandbox of `sandbox start`, without a network.

    Options stand before SANDBOX. Exits with 1 where the command fails.
    """
    from agentctl.domain.config.durations import duration_s
    from agentctl.faces.cli.session import run_command

    limit = duration_s(timeout)
    if not limit:
        msg = "it is a number with s, m or h, as 90s or 5m"
        raise click.BadParameter(msg, param_hint="--timeout")
    asked: dict[str, object] = {
        "in": sandbox_target(sandbox),
        "command": command,
        "cwd": cwd,
        "env": dict(_variable(one) for one in env),
        "timeout_s": limit,
    }
    if piped:
        asked["stdin"] = sys.stdin.buffer.read().decode("utf-8", "replace")
    run_command(lambda session: _ended(session, "sandbox_run", asked))


@click.command("stop", epilog=example("agentctl sandbox stop shell"))
@_sandbox
@shared
def stop(sandbox: str, **_: object) -> None:
    """Stop a sandbox of commands; everything in it is kept."""
    from agentctl.faces.cli.session import run_operation

    run_operation("sandbox_stop", {"in": sandbox_target(sandbox)}, show=_started)


@click.command(
    "look",
    epilog=example(
        "agentctl sandbox look 'cat cluster.yaml'",
        "agentctl sandbox look 'grep -r colour . | sort' --source site",
    ),
)
@click.argument("line", metavar="LINE")
@click.option("--source", metavar="SOURCE", default="folder", help="As of `sandbox start`.")
@shared
def look(line: str, source: str, **_: object) -> None:
    """Run a line that only reads over a source, without a copy; `|` joins its commands."""
    from agentctl.faces.cli.session import run_command

    asked = {"line": line, "source": source}
    run_command(lambda session: _ended(session, "sandbox_look", asked))


@click.command("prepare", epilog=example("agentctl sandbox prepare debian"))
@click.argument("source", metavar="SOURCE")
@shared
def prepare(source: str, **_: object) -> None:
    """See that a copy of a source machine starts, so that sandboxes may be made of it."""
    from agentctl.faces.cli.session import run_operation

    run_operation("sandbox_prepare", {"source": source})


def life_s(written: str) -> int:
    """Returns the life of a sandbox as it was typed.

    Raises:
        click.BadParameter: it is none.
    """
    from agentctl.domain.config.durations import duration_s

    seconds = duration_s(written)
    if seconds is None:
        msg = "it is a number with s, m, h, d or w, as 90m or 7d"
        raise click.BadParameter(msg, param_hint="--ttl")
    if not _TTL_MIN_S <= seconds <= _TTL_MAX_S:
        msg = "a sandbox lives between 1m and 30d"
        raise click.BadParameter(msg, param_hint="--ttl")
    return seconds


async def _ended(session: "Session", operation: str, asked: dict[str, Any]) -> "Ended":
    """Returns the end of a command that ran: what it printed, where it printed it."""
    from agentctl.faces.cli.session import Ended
    from agentctl.foreign import calm

    envelope = await session.call(operation, asked)
    ran: Any = envelope.data
    if ran is None:
        return Ended(envelope=envelope)
    code = None if ran.exit_code == 0 else ExitCode.ERRORS
    if ran.ending != "exited":
        sys.stderr.write(envelope.summary + "\n")
    sys.stderr.write(calm(ran.stderr))
    return Ended(envelope=envelope, text=calm(ran.stdout), code=code)


def _variable(written: str) -> tuple[str, str]:
    name, equals, value = written.partition("=")
    if not equals:
        msg = "it is NAME=VALUE"
        raise click.BadParameter(msg, param_hint="--env")
    return name, value


def _started(data: Any) -> str:  # noqa: ANN401  # a SandboxStarted
    from agentctl.views.wording import paragraph, safe

    return paragraph(
        [
            f"{data.sandbox} is {data.state}",
            f"  name     {safe(data.name)}",
            f"  source   {safe(data.source)} ({data.provider})",
            f"  until    {safe(data.expires_at)}",
        ]
    )


VERBS = (start, run, stop, look, prepare)
