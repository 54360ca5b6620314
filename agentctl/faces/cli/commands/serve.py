"""`agentctl serve`: answers over HTTP, at a loopback port or a Unix socket, to whoever brings a token."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

import click

from agentctl.faces.cli.exit_codes import exit_code
from agentctl.faces.cli.options import Settings, example, settings_of, shared

if TYPE_CHECKING:
    from agentctl.diagnostics.diagnostic import Diagnostic
    from agentctl.faces.cli.compose import Composition
    from agentctl.faces.http.listener import Listen

DEFAULT = "127.0.0.1:7077"


@click.command(
    "serve",
    epilog=example(
        "agentctl serve --config supply",
        "agentctl serve --listen 127.0.0.1:0",
        "agentctl serve --socket /run/agentctl/supply.sock",
    ),
)
@click.option("--listen", "where", metavar="HOST:PORT", help=f"Default: {DEFAULT}; port 0: any.")
@click.option(
    "--socket",
    "socket_path",
    metavar="PATH",
    type=click.Path(path_type=Path),
    help="A Unix socket in place of a port.",
)
@shared
@click.pass_context
def command(
    context: click.Context, /, where: str | None, socket_path: Path | None, **_: object
) -> None:
    """Serve the cluster over HTTP to whoever brings a bearer token; consent is never given here."""
    import anyio

    from agentctl.faces.cli.printing import print_diagnostics
    from agentctl.faces.cli.session import composition_of

    settings = settings_of(context)
    listen = _listen(where, socket_path)
    refusal = anyio.run(_serve, composition_of(context), settings, listen)
    if refusal:
        print_diagnostics(refusal, folder=settings.config)
        sys.exit(exit_code(ok=False, diagnostics=refusal))


def _listen(where: str | None, socket_path: Path | None) -> "Listen":
    from agentctl.faces.http.listener import Listen

    if where is not None and socket_path is not None:
        msg = "--listen and --socket exclude each other."
        raise click.UsageError(msg)
    if socket_path is not None:
        return Listen(socket_path=socket_path.absolute())
    host, colon, port = (where or DEFAULT).rpartition(":")
    if not colon or not port.isdecimal() or int(port) > 65535:
        msg = "--listen takes HOST:PORT, as 127.0.0.1:7077 or [::1]:7077."
        raise click.UsageError(msg)
    return Listen(host=host.strip("[]"), port=int(port))


async def _serve(
    composition: "Composition", settings: Settings, listen: "Listen"
) -> "tuple[Diagnostic, ...]":
    try:
        return await _serve_opened(composition, settings, listen)
    finally:
        await composition.aclose()


async def _serve_opened(
    composition: "Composition", settings: Settings, listen: "Listen"
) -> "tuple[Diagnostic, ...]":
    from agentctl.faces.http.app import make_app
    from agentctl.faces.http.listener import address_of, bind, serve
    from agentctl.faces.http.service import Service
    from agentctl_tools.door import leave
    from agentctl_tools.failures import diagnostics_of
    from agentctl_tools.serving import Premises

    try:
        cluster = await composition.open(settings.config)
    except Exception as failure:
        known = diagnostics_of(failure)
        if known is None:
            raise
        return known
    bound = bind(listen)
    address = address_of(listen, bound)
    premises = Premises(cluster, address)
    service = Service(
        identify=premises.identify,
        door=premises.door,
        refuse=premises.refuse,
        now=premises.now,
    )
    try:
        await serve(
            make_app(service), listen, bound, on_ready=_say(address, as_json=settings.as_json)
        )
    finally:
        await leave(cluster)
    return ()


def _say(address: str, *, as_json: bool) -> Callable[[], None]:
    """Returns what tells that connections are taken: one line, which a supervisor may wait for."""

    def told() -> None:
        import json

        line = json.dumps({"listening": address}) if as_json else f"Listening on {address}"
        sys.stdout.write(line + "\n")
        sys.stdout.flush()

    return told
