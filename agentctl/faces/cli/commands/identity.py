"""`agentctl identity`. What changes who is known is in `agentctl.faces.cli.identity_acts`."""

from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, shared

KINDS = click.Choice(["human", "agent", "service"])
LEVELS = click.Choice(["file", "agent", "touch"])
ID = click.argument("principal_id", metavar="ID")
KEY = click.option(
    "--key", metavar="KEY|FILE", help="A public key in OpenSSH form, or the file it is in."
)
REASON = click.option("--reason", metavar="TEXT", required=True, help="Kept in the chain.")

if TYPE_CHECKING:
    from agentctl_tools.identity import IdentityList, IdentityShown


@click.group("identity", epilog=example("agentctl identity show", "agentctl identity list --json"))
@shared
def command(**_: object) -> None:
    """Who you are in this cluster, and whom else it knows."""


@command.command("show", epilog=example("agentctl identity show"))
@shared
def show(**_: object) -> None:
    """Show who is calling, with which key."""
    from agentctl.faces.cli.session import run_operation

    run_operation("identity_show", {}, show=_shown)


@command.command("list", epilog=example("agentctl identity list"))
@shared
def list_identities(**_: object) -> None:
    """List every principal that the cluster knows."""
    from agentctl.faces.cli.session import run_operation

    run_operation("identity_list", {}, show=_listed)


@command.command(
    "new",
    epilog=example(
        "agentctl identity new tom --key tom.pub --group dba", "agentctl identity new agent:ci"
    ),
)
@ID
@click.option("--kind", type=KINDS, help="Default: what the id begins with, else a human.")
@KEY
@click.option("--assurance", type=LEVELS, help="Of a human's key; default: what it looks like.")
@click.option("--group", "groups", multiple=True, metavar="NAME", help="A role; may be repeated.")
@shared
def new(principal_id: str, **given: Any) -> None:  # noqa: ANN401  # options of click
    """Make somebody known to the cluster. A human is vouched for by your signature.

    Without --key a key file is made in your own keys folder: right for agents, and for a person who
    sits at this machine. Others make theirs with `identity key` and send you the public line.
    """
    from agentctl.faces.cli.identity_acts import enrol

    enrol(principal_id, given)


@command.command("key", epilog=example("agentctl identity key tom"))
@ID
@click.option("--no-passphrase", is_flag=True, help="Make a key that `doctor` complains of.")
@shared
def key(principal_id: str, **given: Any) -> None:  # noqa: ANN401  # options of click
    """Make a key file of your own and print its public line, for whoever enrols you."""
    from agentctl.faces.cli.identity_acts import make_own_key

    make_own_key(principal_id, no_passphrase=bool(given["no_passphrase"]))


@command.command("groups", epilog=example("agentctl identity groups tom dba breakglass"))
@ID
@click.argument("groups", nargs=-1, metavar="[GROUP]...")
@shared
def regroup(principal_id: str, groups: tuple[str, ...], **_: object) -> None:
    """Replace the groups of a principal, which are the roles of approval rules."""
    from agentctl.faces.cli.identity_acts import signed

    signed("identity_groups", {"id": principal_id, "in_groups": groups}, about=principal_id)


@command.command("revoke", epilog=example("agentctl identity revoke tom --reason 'left'"))
@ID
@REASON
@shared
def revoke(principal_id: str, reason: str, **_: object) -> None:
    """End a principal with its key. What it approved and was not used yet is stale."""
    from agentctl.faces.cli.identity_acts import signed

    signed("identity_revoke", {"id": principal_id, "reason": reason}, about=principal_id)


@command.command("rotate", epilog=example("agentctl identity rotate tom --key tom-new.pub"))
@ID
@KEY
@shared
def rotate(principal_id: str, key: str | None, **_: object) -> None:
    """Replace a principal's key. A hardware key makes its assurance touch, any other file."""
    from agentctl.faces.cli.identity_acts import public_key, signed

    text = public_key(key)
    signed("identity_rotate", {"id": principal_id, "key": text}, about=principal_id)


@command.command(
    "delegate",
    epilog=example("agentctl identity delegate tom --resource 'graph.*' --for 7d"),
)
@click.argument("to", metavar="HUMAN")
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Only these kinds.")
@click.option(
    "--resource", "resources", multiple=True, metavar="ADDRESS", help="Only these; `*` for a name."
)
@click.option("--for", "lasting", metavar="TIME", required=True, help="E.g. 8h or 7d; at most 30d.")
@click.option("--everything", is_flag=True, help="Without --kind and --resource: for all of it.")
@shared
def delegate(to: str, **given: Any) -> None:  # noqa: ANN401  # options of click
    """Let another human count by your groups for a while. A later delegation replaces it."""
    from agentctl.faces.cli.identity_acts import delegate as act

    act(to, given)


@command.command("recovery", epilog=example("agentctl identity recovery"))
@shared
def recovery(**_: object) -> None:
    """Make a new recovery code, shown once; the one before is worth nothing then."""
    from agentctl.faces.cli.identity_acts import new_recovery

    new_recovery()


@command.command(
    "recover",
    epilog=example(
        "agentctl identity recover sarah --key sarah-new.pub",
        "agentctl identity recover sarah --revoke",
    ),
)
@ID
@KEY
@click.option("--revoke", "ends", is_flag=True, help="End the principal instead.")
@shared
def recover(principal_id: str, key: str | None, ends: bool, **_: object) -> None:  # noqa: FBT001
    """Replace a lost key by the recovery code, which is typed on the terminal."""
    from agentctl.faces.cli.identity_acts import recover as act

    act(principal_id, key, revoke=ends)


def _shown(data: "IdentityShown") -> str:
    return "\n".join([f"cluster {data.cluster_id or '(none yet)'}", *_lines(data.identity)])


def _listed(data: "IdentityList") -> str:
    lines = [f"cluster {data.cluster_id or '(none yet)'}"]
    for identity in data.identities:
        lines += _lines(identity)
    return "\n".join(lines)


def _lines(identity: Any) -> list[str]:  # noqa: ANN401  # an Identity, which is the engine's
    from agentctl.views.decision import safe

    standing = (
        "revoked" if identity.revoked else "enrolled" if identity.enrolled else "not enrolled"
    )
    lines = [f"{safe(identity.id)}  {identity.kind}, {standing}"]
    if not identity.confirmed:
        lines.append("  to be confirmed: another human runs agentctl identity groups")
    if identity.counts_with:
        lines.append(f"  counts with {safe(identity.counts_with)} as one person")
    elif identity.vouched_by:
        lines.append(f"  by the word of {safe(identity.vouched_by)} alone")
    if identity.nid:
        lines.append(f"  node id {safe(identity.nid)}")
    if identity.groups:
        lines.append(f"  groups {', '.join(safe(group) for group in identity.groups)}")
    if identity.assurance:
        lines.append(f"  assurance {identity.assurance}")
    if identity.key_file:
        protected = "with a passphrase" if identity.passphrase else "WITHOUT a passphrase"
        lines.append(f"  key file {safe(identity.key_file, 200)}, {protected}")
    return lines
