"""Plans of the corpus: from the folder as it was applied to the folder as it is, on paper."""

from collections.abc import Iterator, Mapping

import msgspec

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.domain.plan.diff import draft_plan, finish
from agentctl.domain.plan.model import Change
from agentctl.testing.corpus.answer import Answer
from agentctl.testing.corpus.folder import load_files
from agentctl.testing.paper import paper_inputs


def answer_plan(
    given: Answer, files: Mapping[str, bytes], applied: Mapping[str, bytes] | None
) -> Answer:
    """Returns the answer *given* for a folder with the plan that brings it about.

    ``plan`` has a line for each change, ``operation address disposition reason (classes)``, with
    the steps of its migration below. The plan's diagnostics join those of the folder.

    Args:
        given: what loading the folder said.
        files: the folder.
        applied: files that were otherwise when the folder was applied; None where it never was.
    """
    desired = load_files(files).desired
    before = load_files({**files, **applied}).desired if applied is not None else None
    if desired is None:
        return given
    plan = finish(draft_plan(paper_inputs(desired, before)), {})
    lines = [line for change in plan.changes for line in _lines(change)]
    return msgspec.structs.replace(
        given,
        diagnostics=sort_diagnostics((*given.diagnostics, *plan.diagnostics)),
        texts={**given.texts, "plan": lambda: "".join(line + "\n" for line in lines)},
    )


def _lines(change: Change) -> Iterator[str]:
    words = [change.operation, change.resource, change.disposition, change.reason]
    said = " ".join(word for word in words if word)
    moved = f" from {change.moved_from}" if change.moved_from else ""
    yield f"{said}{moved} ({', '.join(change.classes)})"
    if change.bindings is not None and change.binding_change:
        yield f"  bound to {_names(change.bindings.before)}, then to {_names(change.bindings.after)}"
    if change.settings is not None:
        yield f"  settings {_plain(change.settings.before)}, then {_plain(change.settings.after)}"
    for step in change.migration.steps if change.migration is not None else ():
        yield f"  {step['kind']}"


def _names(names: tuple[str, ...] | None) -> str:
    return ", ".join(names) if names else "nothing"


def _plain(settings: Mapping[str, object] | None) -> str:
    return "nothing" if settings is None else ", ".join(f"{k}={v}" for k, v in settings.items())
