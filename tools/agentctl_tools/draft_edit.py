"""`draft_edit`: changes a file in a draft, opening one where none is named; says how the result stands."""

from typing import Annotated, Any

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.lending import sandbox_of
from agentctl.engine.drafts import EditResult
from agentctl.engine.lending import lending_of
from agentctl.engine.sandboxed import drafting
from agentctl.engine.world import stamp_now
from agentctl_tools import insides
from agentctl_tools.envelopes import count, failed, refused
from agentctl_tools.fields import In
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.targets import draft_of, refusal_of, resource_of, target_of

TEXT_MAX = 1_000_000


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `draft_edit` takes: a path, and exactly one way of changing it."""

    path: Annotated[
        str, msgspec.Meta(description="In the configuration, e.g. cluster.yaml.", max_length=500)
    ]
    within: In = msgspec.field(default="cluster", name="in")
    content: (
        Annotated[str, msgspec.Meta(description="The whole new file.", max_length=TEXT_MAX)] | None
    ) = None
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
    changed: bool
    """False where the file held that content already."""
    valid: bool
    """Whether the whole configuration validates now."""


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    change = _change(given)
    if isinstance(change, Diagnostic):
        return failed((change,))
    if given.within.startswith("sandbox:"):
        return await _in_sandbox(call, change)
    target = target_of(given.within)
    refusal = await refusal_of(call.cluster, call.caller, target)
    if refusal is not None:
        return failed((refusal,))
    drafts = call.cluster.drafts
    named = draft_of(target)
    if named is not None and await lending_of(call.cluster.store, named) is not None:
        return refused(
            "sandbox_exists",
            target,
            f"the draft {named} is a sandbox now, and is edited as one",
            remedy=f"Send `in` as sandbox:{named}.",
        )
    draft_id = named or (await drafts.open(call.caller.id)).id
    edited = await drafts.edit(draft_id, given.path, by=call.caller.id, **change)
    if has_errors(edited.diagnostics):
        if named is None:
            await drafts.discard(draft_id)
        return failed(edited.diagnostics, summary="Nothing was changed.")
    return _edited(draft_id, given.path, edited, opened=named is None)


async def _in_sandbox(call: Call, change: dict[str, Any]) -> Envelope:
    """Edits a file of a sandbox, over the folder as it was when that was opened."""
    started_at = stamp_now(call.cluster.world)
    sandbox_id = await insides.enter(call)
    if isinstance(sandbox_id, Envelope):
        return sandbox_id
    full = await insides.full(call.cluster, sandbox_id)
    if full is not None:
        return await insides.noted(call, OPERATION, sandbox_id, full, started_at=started_at)
    envelope = await insides.in_time(
        OPERATION.name,
        sandbox_id,
        _drafted(call, sandbox_id, change),
        left=insides.whole_or_nothing,
    )
    return await insides.noted(call, OPERATION, sandbox_id, envelope, started_at=started_at)


async def _drafted(call: Call, sandbox_id: str, change: dict[str, Any]) -> Envelope:
    given = call.arguments
    async with drafting(call.cluster, sandbox_id) as drafts:
        edited = await drafts.edit(sandbox_id, given.path, by=call.caller.id, **change)
    if has_errors(edited.diagnostics):
        return failed(edited.diagnostics, summary="Nothing was changed.")
    return _edited(given.within, given.path, edited, opened=False)


def _edited(draft_id: str, path: str, edited: EditResult, *, opened: bool) -> Envelope:
    found = edited.loaded.diagnostics if edited.loaded is not None else ()
    errors = sum(d.severity == "error" for d in found)
    data = DraftEdited(
        draft=draft_id,
        path=path,
        opened=opened,
        changed=edited.edit is not None,
        valid=errors == 0,
    )
    if errors:
        following = Next(
            tool="draft_edit",
            arguments={"in": draft_id, "path": path},
            why="Mend what the diagnostics name.",
        )
        told = f"it has {count(errors, 'error')} now"
    else:
        following = Next(tool="plan", arguments={"in": draft_id}, why="Says what it would do.")
        told = "it validates"
    sandbox_id = sandbox_of(draft_id)
    where = f"Draft {draft_id}" if sandbox_id is None else f"Sandbox {sandbox_id}"
    return Envelope(
        ok=True,
        summary=f"{where}: {told}.",
        next=(following,),
        data=data,
        diagnostics=found,
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
        "Try. Changes a file in a draft (opens one if `in` names none) and says what the result "
        "lacks; nothing real changes. Send one of content, old with new, diff, remove."
    ),
    resource=lambda given: resource_of(given.within),
    enters=True,
    result=DraftEdited,
    mcp_tool="draft_edit",
)
