"""`draft_list`, `draft_show`, `draft_diff`, `draft_discard`: drafts as a person handles them."""

from typing import Annotated

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine.drafts import Draft
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.operation import Call, Envelope, Operation

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


async def _list(call: Call) -> Envelope:
    listed = tuple(await call.cluster.drafts.list())
    return done(f"{count(len(listed), 'draft')}.", data=DraftList(drafts=listed))


async def _show(call: Call) -> Envelope:
    shown = await call.cluster.drafts.show(call.arguments.draft)
    if isinstance(shown, Diagnostic):
        return failed((shown,))
    return done("A draft.", data=shown)


async def _diff(call: Call) -> Envelope:
    text = await call.cluster.drafts.diff(call.arguments.draft)
    if isinstance(text, Diagnostic):
        return failed((text,))
    return done("What the draft changes.", data=DraftDiff(draft=call.arguments.draft, diff=text))


async def _discard(call: Call) -> Envelope:
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
