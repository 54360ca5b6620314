"""`agentctl playbook`: calls in an order, made of what was tried, run again elsewhere or for real."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.json_values import object_of
from agentctl.faces.cli.options import example, in_option, intent_option, place, shared
from agentctl.faces.cli.options import sandbox_target as target_of

if TYPE_CHECKING:
    from agentctl.faces.cli.session import Ended, Session
    from agentctl_tools.playbooks import PlaybookList, PlaybookShown, RunShown

_name = click.argument("name", metavar="NAME")
_only = click.option("--only-sandboxes", is_flag=True, help="It never runs for real.")


@click.group(
    "playbook",
    epilog=example(
        "agentctl playbook from try notes",
        "agentctl playbook show notes",
        "agentctl playbook run notes --in other",
        "agentctl playbook run notes -m 'notes for packages'",
    ),
)
@shared
def command(**_: object) -> None:
    """Calls in an order: made in a sandbox, run in another, then for real.

    Each call of a run is your own, decided by policy as ever. A gate stops the run.
    """


@command.command("create", epilog=example("agentctl playbook create notes"))
@_name
@_only
@shared
def create(name: str, *, only_sandboxes: bool, **_: object) -> None:
    """Make a playbook without tasks."""
    _changed("playbook_create", {"name": name, "target": _target(only=only_sandboxes)})


@command.command("from", epilog=example("agentctl playbook from try notes"))
@click.argument("sandbox", metavar="SANDBOX")
@_name
@_only
@shared
def from_sandbox(sandbox: str, name: str, *, only_sandboxes: bool, **_: object) -> None:
    """Make a playbook of what was done in a sandbox: its writes that worked, in order.

    Where a secret stood there is a token; such a task is edited before it runs.
    """
    asked = {"in": target_of(sandbox), "name": name, "target": _target(only=only_sandboxes)}
    _changed("playbook_from_sandbox", asked)


@command.command("list", epilog=example("agentctl playbook list --json"))
@shared
def list_playbooks(**_: object) -> None:
    """List the playbooks that there are."""
    from agentctl.faces.cli.session import run_operation

    run_operation("playbook_list", {}, show=_list)


@command.command(
    "show",
    epilog=example("agentctl playbook show notes", "agentctl playbook show notes --yaml > p.yaml"),
)
@_name
@click.option("--yaml", "as_yaml", is_flag=True, help="Print its YAML, and nothing else.")
@shared
def show(name: str, *, as_yaml: bool, **_: object) -> None:
    """Show a playbook: its tasks, their ids, its runs."""
    from agentctl.faces.cli.session import run_operation

    run_operation("playbook_show", {"name": name}, show=_yaml if as_yaml else _one)


@command.command(
    "edit",
    epilog=example(
        'agentctl playbook edit notes --add validate --params "{}"',
        'agentctl playbook edit notes 01J9ZC4R3Q --params \'{"graph": "supply", "rows": "…"}\'',
        "agentctl playbook edit notes 01J9ZC4R3Q --remove",
    ),
)
@_name
@click.argument("task", metavar="[TASK]", required=False)
@click.option("--add", "added", metavar="OPERATION", help="A new task at the end.")
@click.option(
    "--params", metavar="JSON", help="Arguments by name; `in`, intent and key are the run's."
)
@click.option("--title", metavar="TEXT", help="What the task is called.")
@click.option("--remove", is_flag=True, help="Take the task away.")
@shared
def edit(  # its options
    name: str,
    task: str | None,
    added: str | None,
    params: str | None,
    title: str | None,
    *,
    remove: bool,
    **_: object,
) -> None:
    """Add a task, change one, or take one away."""
    if (task is None) == (added is None):
        msg = "Give a TASK of the playbook, or --add OPERATION."
        raise click.UsageError(msg)
    change = "add" if added is not None else "delete" if remove else "update"
    asked: dict[str, object] = {"name": name, "change": change, "task": task, "title": title}
    asked["module"] = added
    asked["params"] = None if params is None else object_of(params, "--params")
    _changed("playbook_edit", asked)


@command.command("reorder", epilog=example("agentctl playbook reorder notes 01J9ZC4R3Q 01J9ZC4R3R"))
@_name
@click.argument("tasks", metavar="TASK...", nargs=-1, required=True)
@shared
def reorder(name: str, tasks: tuple[str, ...], **_: object) -> None:
    """Put the tasks into another order; each id stands once."""
    _changed("playbook_reorder", {"name": name, "tasks": tasks})


@command.command("delete", epilog=example("agentctl playbook delete notes"))
@_name
@shared
def delete(name: str, **_: object) -> None:
    """Delete a playbook; its runs are kept."""
    from agentctl.faces.cli.session import run_operation

    run_operation("playbook_delete", {"name": name})


@command.command(
    "run",
    epilog=example(
        "agentctl playbook run notes --in try",
        "agentctl playbook run notes -m 'notes for packages'",
        "agentctl playbook run notes --resume 01J9ZC4R3Q",
    ),
)
@_name
@in_option
@click.option("--resume", metavar="RUN", help="Go on with a run that waits, failed or died.")
@click.option("--key", metavar="KEY", help="With the same key it is run once.")
@intent_option
@shared
def run(  # its options
    name: str,
    within: str | None,
    resume: str | None,
    key: str | None,
    intent: str | None,
    **_: object,
) -> None:
    """Run a playbook, in a sandbox or for real.

    It ends with 6 where a task waits for a human's decision: --resume goes on after it.
    """
    from agentctl.faces.cli.session import run_command

    asked = {
        "name": name,
        "in": place(within),
        "resume": resume,
        "idempotency_key": key,
        "intent": intent if intent is not None else "run a playbook",
    }

    async def main(session: "Session") -> "Ended":
        return await _run(session, asked)

    run_command(main)


async def _run(session: "Session", asked: Mapping[str, object]) -> "Ended":
    from agentctl.faces.cli.session import Ended

    envelope = await session.call("playbook_run", asked)
    if envelope.data is None:
        return Ended(envelope=envelope)
    ran: Any = envelope.data
    return Ended(envelope=envelope, text=_ran(ran), waiting=ran.status == "waiting")


def _changed(operation: str, asked: Mapping[str, object]) -> None:
    from agentctl.faces.cli.session import run_operation

    run_operation(operation, asked, show=_one)


def _target(*, only: bool) -> str:
    return "sandbox" if only else "cluster"


def _list(data: "PlaybookList") -> str:
    from agentctl.views.wording import counted, safe

    if not data.playbooks:
        return "There is no playbook: agentctl playbook create NAME\n"
    return "\n".join(
        f"{safe(p.name)}  by {safe(p.author or 'somebody')}  {counted(p.tasks, 'task')}"
        for p in data.playbooks
    )


def _yaml(data: "PlaybookShown") -> str:
    from agentctl.foreign import Foreign, show

    return "".join(show(Foreign(line), limit=100_000) + "\n" for line in data.yaml.splitlines())


def _one(data: "PlaybookShown") -> str:
    from agentctl.views.wording import safe

    where = "in sandboxes only" if data.target == "sandbox" else "in sandboxes and for real"
    lines = [f"{safe(data.name)}  by {safe(data.author or 'somebody')}, runs {where}"]
    for task in data.tasks:
        lines.append(f"  {task.id}  {task.module}  {safe(task.name)}")
        lines += [f"    {safe(path)} holds a secret's token: edit it" for path in task.missing]
    lines += [f"  run {run.run}  {run.status}, {_count(run)} in {run.place}" for run in data.runs]
    return "\n".join(lines)


def _ran(data: "RunShown") -> str:
    from agentctl.views.wording import safe

    lines = [f"run {data.run}  {data.status}, {_count(data)}"]
    lines += [f"  {t.standing:<8}{t.module}  {safe(t.name)}  {safe(t.summary)}" for t in data.tasks]
    if data.status == "waiting" and data.draft is not None:
        lines.append(f"  It works in the draft {data.draft}.")
    if data.status != "done":
        lines.append(f"Then: agentctl playbook run {safe(data.playbook)} --resume {data.run}")
    return "\n".join(lines)


def _count(run: "RunShown") -> str:
    return f"{run.done} of {len(run.tasks)} done"
