"""`agentctl token`. The secret of a new one goes to stdout once, or into a file that only you can read."""

from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl_tools.tokens import TokenList, TokenRevoked, TokenShown

SCOPES = click.Choice(["look", "try", "real"])


@click.group("token", epilog=example("agentctl token create agent:ci", "agentctl token list"))
@shared
def command(**_: object) -> None:
    """Bearer tokens: what an agent or a service brings over HTTP, or in AGENTCTL_TOKEN."""


@command.command(
    "create",
    epilog=example(
        "agentctl token create agent:ci --out ci.token",
        "agentctl token create service:board --scope look --for 30d",
    ),
)
@click.argument("principal", metavar="ID")
@click.option("--label", metavar="TEXT", default="", help="What it is for; shown in lists.")
@click.option(
    "--scope", "scopes", multiple=True, type=SCOPES, help="May be repeated; default: all three."
)
@click.option("--audience", metavar="URL", help="Good at this listener only; default: at each.")
@click.option("--for", "lasting", metavar="TIME", help="E.g. 90m, 8h, 7d; default: 24h, yours 8h.")
@click.option("--out", metavar="FILE", help="Write the secret there, for nobody else to read.")
@shared
def create(principal: str, **given: Any) -> None:  # noqa: ANN401  # options of click
    """Make a token for an agent or a service, or for yourself. Its secret is shown once.

    An agent's acts on your behalf, and ends with you. No token consents to anything.
    """
    from agentctl.faces.cli.token_acts import make

    make(principal, given)


@command.command("list", epilog=example("agentctl token list --json"))
@shared
def list_tokens(**_: object) -> None:
    """List every token with whom it names and until when; the secrets are kept nowhere."""
    from agentctl.faces.cli.session import run_operation

    run_operation("token_list", {}, show=_listed)


@command.command("revoke", epilog=example("agentctl token revoke 3f2a9c01 --reason leaked"))
@click.argument("token", metavar="ID")
@click.option("--reason", metavar="TEXT", default="revoked", help="Kept beside the token.")
@shared
def revoke(token: str, reason: str, **_: object) -> None:
    """End a token now; the beginning of its id names it."""
    from agentctl.faces.cli.session import run_operation

    run_operation("token_revoke", {"id": token, "reason": reason}, show=_revoked)


def _listed(data: "TokenList") -> str:
    return "\n".join(_line(one) for one in data.tokens) or "no tokens"


def _revoked(data: "TokenRevoked") -> str:
    return _line(data.token)


def _line(one: "TokenShown") -> str:
    from agentctl.views.decision import safe

    if one.standing == "unreadable":
        return f"{one.id[:12]}  unreadable: no record of ours, and good for nothing"
    until = f"until {one.expires_at}" if one.standing == "good" else one.standing
    behalf = f" for {safe(one.on_behalf_of)}" if one.on_behalf_of else ""
    label = f"  {safe(one.label)}" if one.label else ""
    return f"{one.id[:12]}  {safe(one.principal)}{behalf}  {','.join(one.scopes)}  {until}{label}"
