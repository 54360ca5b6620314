"""`graph_tags`, `graph_tag`, `graph_untag`: names of commits, which keep their data."""

from typing import Annotated

import msgspec

from agentctl.engine import history_of_graphs
from agentctl.engine.graph_data import branch_address
from agentctl.graph.branching.names import NAME_LENGTH_MAX
from agentctl.graph.branching.tags import Tag
from agentctl_tools.branch_calls import (
    At,
    BranchName,
    WriteAnswer,
    WriteArguments,
    common,
    engine_call,
    once,
)
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import GraphId
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.served import withheld

TagName = Annotated[
    str, msgspec.Meta(description="The tag.", min_length=1, max_length=NAME_LENGTH_MAX)
]


class TagsArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_tags` takes."""

    graph: GraphId


class Tags(msgspec.Struct, frozen=True, kw_only=True):
    """The tags, by name."""

    tags: tuple[Tag, ...]


class TagArguments(WriteArguments, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_tag` takes."""

    tag: TagName
    branch: BranchName = "main"
    at: At | None = None


class UntagArguments(WriteArguments, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `graph_untag` takes."""

    tag: TagName


class Tagged(WriteAnswer, frozen=True, kw_only=True):
    """The tag that was made, or taken away."""

    tag: Tag | None


async def _tags(call: Call) -> Envelope:
    held_back = await withheld(call.cluster, call.arguments.graph)
    if held_back is not None:
        return failed((held_back,))
    found = await history_of_graphs.graph_tags(call.cluster, call.arguments.graph)
    return done(f"{count(len(found), 'tag')}.", data=Tags(tags=found))


async def _tag(call: Call) -> Envelope:
    given: TagArguments = call.arguments

    async def act(op_id: str | None) -> Tagged:
        written = await history_of_graphs.graph_tag(
            call.cluster,
            call.caller,
            engine_call(given, op_id),
            given.tag,
            branch=given.branch,
            at=given.at,
        )
        return Tagged(**common(given, written), tag=written.value)

    return await once(call, "graph_tag", Tagged, act, lambda _: "The commit has the tag.")


async def _untag(call: Call) -> Envelope:
    given: UntagArguments = call.arguments

    async def act(op_id: str | None) -> Tagged:
        written = await history_of_graphs.graph_untag(
            call.cluster, call.caller, engine_call(given, op_id), given.tag
        )
        return Tagged(**common(given, written), tag=written.value)

    return await once(call, "graph_untag", Tagged, act, lambda _: "The tag is gone.")


TAGS = Operation(
    name="graph_tags",
    operation_class="read",
    action="read",
    arguments=TagsArguments,
    handler=_tags,
    describe="Look. The tags of a graph.",
    resource=lambda given: f"graph.{given.graph}",
    result=Tags,
    idempotent=True,
)
TAG = Operation(
    name="graph_tag",
    operation_class="write",
    action="change",
    arguments=TagArguments,
    handler=_tag,
    describe="Real. Names a commit of a graph for good, which keeps its data.",
    resource=lambda given: branch_address(given.graph, given.branch),
    context=lambda given: {"branch": given.branch},
    result=Tagged,
    idempotent=True,
)
UNTAG = Operation(
    name="graph_untag",
    operation_class="write",
    action="change",
    arguments=UntagArguments,
    handler=_untag,
    describe="Real. Takes a tag away; what only it kept goes with a later cleanup.",
    resource=lambda given: f"graph.{given.graph}",
    result=Tagged,
    idempotent=True,
    destructive=True,
)
