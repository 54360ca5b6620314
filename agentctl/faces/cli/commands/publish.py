"""`agentctl publish`: a sandbox's change set handed to people."""

from typing import Any

import click

from agentctl.faces.cli.options import example, intent_option, sandbox_target, shared


@click.command(
    "publish",
    epilog=example("agentctl publish ID --to origin", "agentctl publish ID --to folder"),
)
@click.argument("sandbox", metavar="SANDBOX")
@click.option(
    "--to", required=True, metavar="REMOTE", help="An applied remote by its name, or `folder`."
)
@click.option("--change-set", metavar="DIGEST", help="That one, also where more was done since.")
@intent_option
@shared
def command(sandbox: str, to: str, change_set: str | None, intent: str | None, **_: object) -> None:
    """Publish the change set of a sandbox; sent again, it goes on where it was."""
    from agentctl.faces.cli.session import run_operation

    target = sandbox_target(sandbox)
    why = intent if intent is not None else f"publish {target}"
    asked = {"in": target, "to": to, "intent": why, "change_set": change_set}
    run_operation("publish", asked, show=lambda answer: publication_line(answer.publication))


def publication_line(publication: Any) -> str:  # noqa: ANN401  # a Publication, or what a door elsewhere sent
    """Returns a publication in a line, with why it failed in another."""
    from agentctl.foreign import Foreign, show

    facts = (publication.repo_url, publication.branch, publication.commit_sha, publication.pr_url)
    told = " ".join(show(Foreign(fact), limit=200) for fact in facts if fact)
    why = f"\n  {show(Foreign(publication.error_msg), limit=400)}" if publication.error_msg else ""
    return f"{publication.status} {told} ({publication.id}){why}\n"
