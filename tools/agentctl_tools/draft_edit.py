"""`draft_edit`: changes a file in a draft, opening one where none is named; says how the result stands."""

from typing import Annotated, Any

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.engine import validate as engine
from agentctl_tools.envelopes import count, failed
from agentctl_tools.operation import Call, Envelope, Next, Operation

TEXT_MAX = 1_000_000


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `draft_edit` takes: a path, and exactly one way of changing it."""

    path: Annotated[
        str, msgspec.Meta(description="In the configuration, e.g. cluster.yaml.", max_length=500)
    ]
    draft: Annotated[
        str | None, msgspec.Meta(description="Id; leave out to open a new draft.")
    ] = None
    content: Annotated[
        str | None, msgspec.Meta(description="The whole new file.", max_length=TEXT_MAX)
    ] = None
    old: Annotated[
        str | None, msgspec.Meta(description="Exact text, there once, to replace by `new`.")
    ] = None
    new: str | None = None
    diff: Annotated[str | None, msgspec.Meta(description="A unified diff.")] = None
    remove: Annotated[bool, msgspec.Meta(description="Takes the file away.")] = False


class DraftEdited(msgspec.Struct, frozen=True, kw_only=True):
    """The draft after the edit."""

    draft: str
    path: str
    opened: bool
    """Whether this call opened it."""
    valid: bool
    """Whether the whole configuration validates now."""


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    change = _change(given)
    if isinstance(change, Diagnostic):
        return failed((change,))
    drafts = call.cluster.drafts
    draft_id: str | None = given.draft
    opened = draft_id is None
    if draft_id is None:
        draft_id = (await drafts.open(call.caller.id)).id
    edited = await drafts.edit(draft_id, given.path, **change, by=call.caller.id)
    if any(d.severity == "error" for d in edited.diagnostics):
        if opened:
            await drafts.discard(draft_id)
        return failed(edited.diagnostics, summary="Nothing was changed.")
    result = await engine.validate(call.cluster, call.caller, target=f"draft:{draft_id}")
    errors = sum(d.severity == "error" for d in result.diagnostics)
    data = DraftEdited(draft=draft_id, path=given.path, opened=opened, valid=result.ok)
    told = "it validates" if result.ok else f"it has {count(errors, 'error')} now"
    following = Next(
        tool="plan" if result.ok else "draft_edit",
        arguments={"in": draft_id} if result.ok else {"draft": draft_id, "path": given.path},
        why="Says what it would do." if result.ok else "Mend what the diagnostics name.",
    )
    return Envelope(
        ok=True,
        summary=f"Draft {draft_id} changed; {told}.",
        next=(following,),
        data=data,
        diagnostics=result.diagnostics,
    )


def _change(given: Arguments) -> dict[str, Any] | Diagnostic:
    """Returns the one change that was asked for."""
    replaces = given.old is not None or given.new is not None
    ways = [given.content is not None, replaces, given.diff is not None, given.remove]
    if sum(ways) != 1 or (replaces and (given.old is None or given.new is None)):
        return error(
            "invalid_arguments",
            "$",
            "an edit takes exactly one of `content`, `old` with `new`, `diff` or `remove`",
            remedy="Send one of them.",
        )
    if given.content is not None:
        return {"content": given.content.encode()}
    if given.old is not None and given.new is not None:
        return {"replace": (given.old, given.new)}
    if given.diff is not None:
        return {"diff": given.diff}
    return {"remove": True}


OPERATION = Operation(
    name="draft_edit",
    operation_class="write",
    action="draft_edit",
    arguments=Arguments,
    handler=_handle,
    describe=(
        "Try. Changes a file in a draft and says what the result lacks; nothing real changes. "
        "Send one of content, old with new, diff, remove."
    ),
    resource=lambda given: f"draft:{given.draft}" if given.draft else "cluster",
    result=DraftEdited,
    mcp_tool="draft_edit",
)
