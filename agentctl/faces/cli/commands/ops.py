"""`agentctl ops`."""

from typing import TYPE_CHECKING, Any

import click

from agentctl.faces.cli.options import example, in_option, place, shared

if TYPE_CHECKING:
    from agentctl.domain.ops.comparing import SnapshotDiff
    from agentctl_tools.ops import OpList, OpShown

_limit = click.option("--limit", metavar="N", type=int, default=20, help="How many; newest first.")
_before = click.option("--before", metavar="OP", help="Only those that are older: the next page.")


@click.group("ops", epilog=example("agentctl ops log --graph", "agentctl ops show 5pqr7abc:0198…"))
@shared
def command(**_: object) -> None:
    """The changes that were made: who, why, and what came of them.

    An OP is an id, or the beginning of one that no other op has.
    """


@command.command("list", epilog=example("agentctl ops list --limit 5 --json"))
@_limit
@_before
@in_option
@shared
def list_ops(limit: int, before: str | None, within: str | None, **_: object) -> None:
    """List ops on a line each, newest first."""
    shown = {"limit": limit, "before": before, "in": place(within)}
    _listed(shown, lambda data: _log(data, drawn=False, oneline=True))


@command.command("log", epilog=example("agentctl ops log --graph --oneline"))
@click.option("--graph", "drawn", is_flag=True, help="Draw where lines of ops part and meet.")
@click.option("--oneline", is_flag=True, help="Each op on one line.")
@_limit
@_before
@in_option
@shared
def log(limit: int, before: str | None, within: str | None, **given: Any) -> None:  # noqa: ANN401  # the flags above
    """Tell the ops with their words, newest first; `object` is what `rollback --to` takes."""
    drawn, oneline = bool(given["drawn"]), bool(given["oneline"])
    shown = {"limit": limit, "before": before, "in": place(within)}
    _listed(shown, lambda data: _log(data, drawn=drawn, oneline=oneline))


@command.command("show", epilog=example("agentctl ops show 5pqr7abc:01981d2e-…"))
@click.argument("op", metavar="OP")
@in_option
@shared
def show(op: str, within: str | None, **_: object) -> None:
    """Show one op and where it comes from."""
    from agentctl.faces.cli.session import run_operation

    run_operation("ops", {"id": op, "in": place(within)}, show=_one)


@command.command("diff", epilog=example("agentctl ops diff 5pqr7abc:01981d2e-…"))
@click.argument("op", metavar="OP")
@click.argument("other", metavar="[OP]", required=False)
@shared
def diff(op: str, other: str | None, **_: object) -> None:
    """Show what an op moved, or what differs between the ends of two: digests and commits."""
    from agentctl.faces.cli.session import run_operation

    run_operation("ops_diff", {"id": op, "other": other}, show=_differing)


@command.command("graph", epilog=example("agentctl ops graph --format dot | dot -Tsvg > ops.svg"))
@click.option(
    "--format",
    "form",
    type=click.Choice(["dot", "mermaid"]),
    default="dot",
    help="Graphviz or Mermaid.",
)
@_limit
@_before
@in_option
@shared
def graph(limit: int, before: str | None, form: str, within: str | None, **_: object) -> None:
    """Print the DAG of ops as a description that other programs draw."""

    def drawn(data: "OpList") -> str:
        from agentctl.views.ops_dag import ops_dag

        return ops_dag(data.ops, "mermaid" if form == "mermaid" else "dot")

    _listed({"limit": limit, "before": before, "in": place(within)}, drawn)


def _listed(asked: dict[str, Any], shown: Any) -> None:  # noqa: ANN401  # renders the data
    from agentctl.faces.cli.session import run_operation

    run_operation("ops", asked, show=shown)


def _log(data: "OpList", *, drawn: bool, oneline: bool) -> str:
    from agentctl.views.ops_log import ops_log

    text = ops_log(data.ops, seqs=data.objects, undone=data.undone_by, drawn=drawn, oneline=oneline)
    return text if data.before is None else f"{text}older: --before {data.before}\n"


def _one(data: "OpShown") -> str:
    from agentctl.views.ops_log import op_text

    return op_text(data.op, data.lineage)


def _differing(data: "SnapshotDiff") -> str:
    from agentctl.views.ops_diff import ops_diff

    return ops_diff(data)
