"""`agentctl publish`: a sandbox's change set handed to people."""

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
    from agentctl.faces.cli.publication_text import publication_line
    from agentctl.faces.cli.session import run_operation

    target = sandbox_target(sandbox)
    why = intent if intent is not None else f"publish {target}"
    asked = {"in": target, "to": to, "intent": why, "change_set": change_set}
    run_operation("publish", asked, show=lambda answer: publication_line(answer.publication))
