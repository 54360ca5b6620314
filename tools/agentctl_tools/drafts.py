"""`draft_list`, `draft_show`, `draft_diff`, `draft_discard`: drafts as a person handles them."""

from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine.drafts import Draft
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.targets import refusal_of

DraftId = Annotated[str, msgspec.Meta(description="Draft id.", min_length=1, max_length=100)]


class ListArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`draft_list` takes no arguments."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the others take."""

    draft: DraftId


class DraftList(msgspec.Struct, frozen=True, kw_only=True):
    """The drafts that are open."""

    drafts: tuple[Draft, ...]


class DraftDiff(msgspec.Struct, frozen=True, kw_only=True):
    """What a draft changes, as a unified diff."""

    draft: str
    diff: str


async def _refusal(call: Call) -> Envelope | None:
    refusal = await refusal_of(call.cluster, call.caller, f"draft:{call.arguments.draft}")
    return failed((refusal,)) if refusal is not None else None


async def _list(call: Call) -> Envelope:
    mine = call.caller.kind != "human"
    listed = tuple(
        d for d in await call.cluster.drafts.list() if not mine or d.owner == call.caller.id
    )
    return done(f"{count(len(listed), 'draft')}.", data=DraftList(drafts=listed))


async def _show(call: Call) -> Envelope:
    refusal = await _refusal(call)
    if refusal is not None:
        return refusal
    shown = await call.cluster.drafts.show(call.arguments.draft)
    if isinstance(shown, Diagnostic):
        return failed((shown,))
    return done("A draft.", data=shown)


async def _diff(call: Call) -> Envelope:
    refusal = await _refusal(call)
    if refusal is not None:
        return refusal
    text = await call.cluster.drafts.diff(call.arguments.draft)
    if isinstance(text, Diagnostic):
        return failed((text,))
    return done("What the draft changes.", data=DraftDiff(draft=call.arguments.draft, diff=text))


async def _discard(call: Call) -> Envelope:
    refusal = await _refusal(call)
    if refusal is not None:
        return refusal
    trouble = await call.cluster.drafts.discard(call.arguments.draft)
    if isinstance(trouble, Diagnostic):
        return failed((trouble,))
    return done(f"Draft {call.arguments.draft} is discarded.")


LIST = Operation(
    name="draft_list",
    operation_class="read",
    action="draft_read",
    arguments=ListArguments,
    handler=_list,
    describe="Look. The drafts that are open.",
    resource=lambda _: "cluster",
    result=DraftList,
    idempotent=True,
)
SHOW = Operation(
    name="draft_show",
    operation_class="read",
    action="draft_read",
    arguments=Arguments,
    handler=_show,
    describe="Look. One draft and its edits.",
    resource=lambda given: f"draft:{given.draft}",
    result=Draft,
    idempotent=True,
)
DIFF = Operation(
    name="draft_diff",
    operation_class="read",
    action="draft_read",
    arguments=Arguments,
    handler=_diff,
    describe="Look. What a draft changes, as a unified diff.",
    resource=lambda given: f"draft:{given.draft}",
    result=DraftDiff,
    idempotent=True,
)
DISCARD = Operation(
    name="draft_discard",
    operation_class="write",
    action="draft_edit",
    arguments=Arguments,
    handler=_discard,
    describe="Try. Discards a draft.",
    resource=lambda given: f"draft:{given.draft}",
)
