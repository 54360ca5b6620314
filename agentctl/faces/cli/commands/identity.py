"""`agentctl identity`."""

from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, shared

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
    if identity.nid:
        lines.append(f"  node id {safe(identity.nid)}")
    if identity.assurance:
        lines.append(f"  assurance {identity.assurance}")
    if identity.key_file:
        protected = "with a passphrase" if identity.passphrase else "WITHOUT a passphrase"
        lines.append(f"  key file {safe(identity.key_file, 200)}, {protected}")
    return lines
