"""`agentctl policy`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl_tools.policy import BundlesSeen
    from agentctl_tools.policy_ask import Explained, Simulated, Tested

_draft = click.option("--draft", metavar="ID", help="What a draft declares.")
_desired = click.option(
    "--desired", is_flag=True, help="What the folder declares, not applied yet."
)


@click.group(
    "policy",
    epilog=example("agentctl policy explain --actor agent:sarah --action change --graph supply"),
)
@shared
def command(**_: object) -> None:
    """Who may do what: check policies, ask them, test them, and see what a change would do."""


@command.command("validate", epilog=example("agentctl policy validate"))
@click.option("--applied", is_flag=True, help="What is in force, instead of the folder.")
@_draft
@shared
def validate(draft: str | None, *, applied: bool, **_: object) -> None:
    """Check the policies of the folder, and list them with what they decide over."""
    from agentctl.faces.cli.session import run_operation

    arguments = {"of": "applied" if applied else "desired", "in": draft or "cluster"}
    run_operation("policy_validate", arguments, show=_bundles)


@command.command("schema", epilog=example("agentctl policy schema > agentctl.cedarschema"))
@shared
def schema(**_: object) -> None:
    """Print the Cedar schema: who, what and on what a policy can speak of."""
    from agentctl.faces.cli.session import run_operation

    run_operation("policy_schema", {}, show=lambda data: str(data.schema))


@command.command(
    "explain",
    epilog=example(
        "agentctl policy explain --actor act-a --action read --graph supply --branch main"
    ),
)
@click.option("--actor", metavar="ID", required=True, help="A principal.")
@click.option("--action", metavar="NAME", required=True, help="See: agentctl policy schema")
@click.option("--graph", metavar="ID", help="The graph that it is about.")
@click.option("--on", "resource", metavar="ADDRESS", help="query.g.n, graph.g@branch, draft:ID, …")
@click.option("--branch", metavar="NAME")
@click.option("--target-branch", metavar="NAME")
@_desired
@_draft
@shared
def explain(  # noqa: PLR0913  # what a question has
    actor: str,
    action: str,
    graph: str | None,
    resource: str | None,
    branch: str | None,
    target_branch: str | None,
    draft: str | None,
    *,
    desired: bool,
    **_: object,
) -> None:
    """Say whether somebody may do something, and which policies decide that."""
    from agentctl.faces.cli.session import run_operation

    arguments: dict[str, object] = {
        "actor": actor,
        "action": action,
        "graph": graph,
        "on": resource,
        "branch": branch,
        "target_branch": target_branch,
        **_policies(draft, desired=desired),
    }
    run_operation("policy_explain", arguments, show=_explained)


@command.command(
    "test", epilog=example("agentctl policy test --tests policy-tests.yaml --graph supply")
)
@click.option(
    "--tests",
    "file",
    metavar="FILE",
    required=True,
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    help="{version: 1, cases: [{id, actor, action, branch?, target_branch?, on?, expect}]}",
)
@click.option("--graph", metavar="ID", help="The graph of cases that name none.")
@_desired
@_draft
@shared
def test(file: Path, graph: str | None, draft: str | None, *, desired: bool, **_: object) -> None:
    """Hold the policies against a file of expectations; exits 1 where one is not met."""
    from agentctl.faces.cli.session import run_operation

    text = file.read_text(encoding="utf-8", errors="replace")
    arguments: dict[str, object] = {"tests": text, "file": file.name, "graph": graph}
    run_operation("policy_test", arguments | _policies(draft, desired=desired), show=_tested)


@command.command("simulate", epilog=example("agentctl policy simulate"))
@_draft
@shared
def simulate(draft: str | None, **_: object) -> None:
    """Show what would change for whom if the policies of the folder were applied."""
    from agentctl.faces.cli.session import run_operation

    run_operation("policy_simulate", {"in": draft or "cluster"}, show=_simulated)


def _policies(draft: str | None, *, desired: bool) -> dict[str, Any]:
    of = "desired" if desired or draft is not None else "applied"
    return {"of": of, "in": draft or "cluster"}


def _bundles(data: "BundlesSeen") -> str:
    lines: list[str] = []
    for policy in data.policies:
        rules = f"{policy.permits} permit, {policy.forbids} forbid"
        lines.append(
            f"policy.{policy.name} ({policy.kind}) on {', '.join(policy.applies_to)}: {rules}"
        )
        if policy.decides:
            lines.append(f"  decides over {', '.join(policy.decides)}")
    return "\n".join(lines) or "No policies: the built-in rules decide."


def _explained(data: "Explained") -> str:
    from agentctl.foreign import Foreign, show

    known = "enrolled" if data.enrolled else "not enrolled"
    actor, resource = (show(Foreign(text), limit=200) for text in (data.actor, data.resource))
    may = "may" if data.allow else "may not"
    by = ", ".join(f"policy.{name}" for name in data.bundles) or "the built-in rules"
    rules = f" ({', '.join(show(Foreign(p), limit=80) for p in data.policies)})"
    lines = [
        f"{actor} ({data.kind}, {known}) {may} {data.action} on {resource}",
        f"decided by {by}{rules if data.policies else ': no rule permits it'}",
    ]
    lines += [f"error: {show(Foreign(told), limit=300)}" for told in data.errors]
    return "\n".join(lines)


def _tested(data: "Tested") -> str:
    many = len(data.cases)
    return (
        f"{many} {'case' if many == 1 else 'cases'}: {data.passed} as expected, {data.failed} not."
    )


def _simulated(data: "Simulated") -> str:
    from agentctl.views.policy_impact import impact_text

    if data.impact is None:
        return "No policy would change."
    return "\n".join(impact_text(data.impact))
