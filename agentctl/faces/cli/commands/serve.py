"""`agentctl serve`: answers over HTTP, at a loopback port or a Unix socket, to whoever brings a token."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import click

from agentctl.faces.cli.exit_codes import exit_code
from agentctl.faces.cli.options import Settings, example, settings_of, shared

if TYPE_CHECKING:
    from agentctl.diagnostics.diagnostic import Diagnostic
    from agentctl.faces.cli.compose import Composition
    from agentctl.faces.http.listener import Listen

DEFAULT = "127.0.0.1:7077"


class Asked(NamedTuple):
    """What the command line says of the listener."""

    listen: "Listen"
    url: str | None
    allow_remote: bool
    strict: bool
    toolsets: tuple[str, ...]


@click.command(
    "serve",
    epilog=example(
        "agentctl serve --config supply",
        "agentctl serve --listen 127.0.0.1:0 --toolsets operator",
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
@click.option("--url", metavar="URL", help="Where a proxy in front is reached; tokens may name it.")
@click.option(
    "--allow-remote",
    is_flag=True,
    help="Listen where other machines reach it, in the clear: TLS is for what stands in front.",
)
@click.option("--strict", is_flag=True, help="Do not start while any graph is withheld.")
@click.option("--toolsets", metavar="NAMES", help="More tools for MCP clients, e.g. operator.")
@shared
@click.pass_context
def command(  # noqa: PLR0913  # its options
    context: click.Context,
    /,
    where: str | None,
    socket_path: Path | None,
    url: str | None,
    toolsets: str | None,
    *,
    allow_remote: bool,
    strict: bool,
    **_: object,
) -> None:
    """Serve the cluster over HTTP to whoever brings a bearer token; consent is never given here.

    JSON under /v1/ops and /graphs, MCP under /mcp, the description at /openapi.json.
    """
    import anyio

    from agentctl.faces.cli.printing import print_diagnostics
    from agentctl.faces.cli.session import composition_of, folder_here

    settings = settings_of(context)
    folder_here(context, "A listener", "Start it on that cluster's machine", as_agent=False)
    asked = Asked(
        listen=_listen(where, socket_path),
        url=_url(url),
        allow_remote=allow_remote,
        strict=strict,
        toolsets=tuple(t.strip() for t in (toolsets or "").split(",") if t.strip()),
    )
    refusal = anyio.run(_serve, composition_of(context), settings, asked)
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
    if not colon or not host or not port.isdecimal() or int(port) > 65535:
        msg = "--listen takes HOST:PORT, as 127.0.0.1:7077 or [::1]:7077."
        raise click.UsageError(msg)
    return Listen(host=host.strip("[]"), port=int(port))


def _url(url: str | None) -> str | None:
    from urllib.parse import urlsplit

    if url is None:
        return None
    parts = urlsplit(url)
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.path.strip("/"):
        msg = "--url takes the root that clients ask, as https://agentctl.example."
        raise click.UsageError(msg)
    return url.rstrip("/")


async def _serve(
    composition: "Composition", settings: Settings, asked: Asked
) -> "tuple[Diagnostic, ...]":
    from agentctl.faces.cli.serving import serve_cluster
    from agentctl_tools.failures import diagnostics_of

    try:
        cluster = await composition.open(settings.config)
        return await serve_cluster(cluster, asked, as_json=settings.as_json)
    except Exception as failure:
        known = diagnostics_of(failure)
        if known is None:
            raise
        return known
    finally:
        await composition.aclose()
