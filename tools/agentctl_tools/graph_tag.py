"""`graph_tags`, `graph_tag`, `graph_untag`: names of commits, which keep their data."""

from typing import Annotated

import msgspec

from agentctl.engine import history_of_graphs
from agentctl.graph.branching.names import NAME_LENGTH_MAX
from agentctl.graph.branching.tags import Tag
from agentctl.ids import branch_address
from agentctl_tools.branch_calls import (
    At,
    BranchName,
    WriteAnswer,
    WriteArguments,
    common,
    engine_call,
    once,
)
from agentctl_tools.envelopes import count, done, failed, refused
from agentctl_tools.fields import GraphId
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.points import permitted_branches, permitted_point, refused_on
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
    listed = await history_of_graphs.graph_tags(call.cluster, call.arguments.graph)
    of = {tag.name: tag.commit.rpartition(":")[0] for tag in listed}
    seen = await permitted_branches(call, call.arguments.graph, "read", set(of.values()))
    if isinstance(seen, Envelope):
        return seen
    found = tuple(tag for tag in listed if of[tag.name] in seen)
    return done(f"{count(len(found), 'tag')}.", data=Tags(tags=found))


async def _tag(call: Call) -> Envelope:
    given: TagArguments = call.arguments
    at = given.at
    if at is not None:
        point = await permitted_point(
            call, given.graph, branch=given.branch, at=at, action="change"
        )
        if isinstance(point, Envelope):
            return point
        at = point.id
    taken = await _taken(call, given)
    if taken is not None:
        return taken

    async def act(op_id: str | None) -> Tagged:
        written = await history_of_graphs.graph_tag(
            call.cluster,
            call.caller,
            engine_call(given, op_id),
            given.tag,
            branch=given.branch,
            at=at,
        )
        return Tagged(**common(given, written), tag=written.value)

    return await once(call, "graph_tag", Tagged, act, _tagged)


def _tagged(answer: Tagged) -> str:
    assert answer.tag is not None
    return f"{answer.tag.commit} has the tag {answer.tag.name}."


async def _untag(call: Call) -> Envelope:
    """Takes a tag away; that of a branch which the caller may not change is none to them."""
    given: UntagArguments = call.arguments
    tags = await history_of_graphs.graph_tags(call.cluster, given.graph)
    tag = next((one for one in tags if one.name == given.tag), None)
    branch = "main" if tag is None else tag.commit.rpartition(":")[0]
    refused = await refused_on(call, "change", given.graph, branch)
    if refused is not None:
        denied = any(d.code == "denied" for d in refused.diagnostics)
        return _no_tag(given) if denied and branch != "main" else refused

    async def act(op_id: str | None) -> Tagged:
        written = await history_of_graphs.graph_untag(
            call.cluster, call.caller, engine_call(given, op_id), given.tag
        )
        return Tagged(**common(given, written), tag=written.value)

    return await once(call, "graph_untag", Tagged, act, lambda _: "The tag is gone.")


async def _taken(call: Call, given: TagArguments) -> Envelope | None:
    """Returns that a name is taken where the caller may not know of what; else the engine tells it."""
    tags = await history_of_graphs.graph_tags(call.cluster, given.graph)
    branches = [tag.commit.rpartition(":")[0] for tag in tags if tag.name == given.tag]
    seen = await permitted_branches(call, given.graph, "read", branches)
    if isinstance(seen, Envelope):
        return seen
    if seen.issuperset(branches):
        return None
    why = f"the name {given.tag} is taken"
    return refused("graph_tag_exists", f"graph.{given.graph}", why, remedy="Choose another name.")


def _no_tag(given: UntagArguments) -> Envelope:
    told = (history_of_graphs.tag_missing(given.graph, given.tag),)
    answer = Tagged(ok=False, graph=given.graph, op=None, diagnostics=told, tag=None)
    return failed(told, summary="Nothing was done.", data=answer)


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
