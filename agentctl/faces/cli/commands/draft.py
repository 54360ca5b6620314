"""`agentctl draft`."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, shared

if TYPE_CHECKING:
    from agentctl_tools.draft_edit import DraftEdited
    from agentctl_tools.drafts import DraftDiff, DraftList


@click.group("draft", epilog=example("agentctl draft list", "agentctl draft diff 01J9ZC4R3Q"))
@shared
def command(**_: object) -> None:
    """Edits to the configuration that are not in the folder yet. Agents work here."""


@command.command("list", epilog=example("agentctl draft list --json"))
@shared
def list_drafts(**_: object) -> None:
    """List the drafts that are open."""
    from agentctl.faces.cli.session import run_operation

    run_operation("draft_list", {}, show=_list)


@command.command("show", epilog=example("agentctl draft show 01J9ZC4R3Q"))
@click.argument("draft", metavar="ID")
@shared
def show(draft: str, **_: object) -> None:
    """Show one draft and its edits."""
    from agentctl.faces.cli.session import run_operation

    run_operation("draft_show", {"draft": draft}, show=_one)


@command.command("diff", epilog=example("agentctl draft diff 01J9ZC4R3Q"))
@click.argument("draft", metavar="ID")
@shared
def diff(draft: str, **_: object) -> None:
    """Show what a draft changes, as a unified diff."""
    from agentctl.faces.cli.session import run_operation

    run_operation("draft_diff", {"draft": draft}, show=_diff)


@command.command(
    "edit",
    epilog=example(
        "agentctl draft edit queries/new.gq --from new.gq",
        "agentctl draft edit old.gq --draft 01J9ZC4R3Q --remove",
    ),
)
@click.argument("path", metavar="PATH")
@click.option("--draft", metavar="ID", help="The draft; without it a new one is opened.")
@click.option(
    "--from",
    "source",
    metavar="FILE",
    type=click.Path(path_type=Path, dir_okay=False, exists=True),
    help="The whole new content.",
)
@click.option("--remove", is_flag=True, help="Take the file away.")
@shared
def edit(path: str, draft: str | None, source: Path | None, remove: bool, **_: object) -> None:  # noqa: FBT001
    """Change one file of the configuration in a draft."""
    from agentctl.faces.cli.session import run_operation

    arguments: dict[str, Any] = {"path": path, "in": draft or "cluster", "remove": remove}
    if source is not None:
        arguments["content"] = source.read_text(encoding="utf-8")
    run_operation("draft_edit", arguments, show=_edited)


@command.command("discard", epilog=example("agentctl draft discard 01J9ZC4R3Q"))
@click.argument("draft", metavar="ID")
@shared
def discard(draft: str, **_: object) -> None:
    """Discard a draft."""
    from agentctl.faces.cli.session import run_operation

    run_operation("draft_discard", {"draft": draft})


def _list(data: "DraftList") -> str:
    from agentctl.views.decision import safe

    return "\n".join(
        f"{d.id}  {safe(d.owner)}  opened {d.created_at}, {len(d.files)} files" for d in data.drafts
    )


def _one(data: Any) -> str:  # noqa: ANN401  # a Draft, which is the engine's
    from agentctl.views.decision import safe

    lines = [f"{data.id}  {safe(data.owner)}  opened {data.created_at}, until {data.expires_at}"]
    lines += [f"  {e.n}  {safe(e.path)}  by {safe(e.by)} at {e.at}" for e in data.edits]
    return "\n".join(lines)


def _diff(data: "DraftDiff") -> str:
    from agentctl.foreign import Foreign, show

    return "".join(show(Foreign(line), limit=1000) + "\n" for line in data.diff.splitlines())


def _edited(data: "DraftEdited") -> str:
    return data.draft
