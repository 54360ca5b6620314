"""`sandbox_merge`: brings the rows of a sandbox home, by one merge into the real graph's `main`.

Into a protected graph it is proposed, shown in each plan behind a gate, and carried out by an apply.
"""

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.plan.merges import ProposedMerge
from agentctl.domain.sandbox.lending import Lending, sandbox_of, trunk_of
from agentctl.engine.bringing_home import propose_merge, withdraw_merge
from agentctl.engine.proposals import drop_merges
from agentctl.engine.sandbox_merging import merge_sandbox
from agentctl.engine.sandboxed import inside, require_open
from agentctl.graph.layout import MAIN
from agentctl.ids import branch_address, graph_address
from agentctl_tools import insides
from agentctl_tools.branch_calls import WriteArguments, common, engine_call, once
from agentctl_tools.branch_merge import Merged
from agentctl_tools.envelopes import done, failed
from agentctl_tools.operation import Call, Envelope, Next, Operation
from agentctl_tools.served import withheld


class Arguments(WriteArguments, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `sandbox_merge` takes; `in` is the sandbox, `graph` the real graph."""

    withdraw: bool = False
    """Take back what was proposed for a protected graph."""


class BroughtHome(Merged, frozen=True, kw_only=True):
    """What the merge did, or what was proposed to be done."""

    proposed: ProposedMerge | None = None
    """Of a protected graph: what waits for a human now, or was taken back."""


async def _merge(call: Call) -> Envelope:
    entered = await insides.enter(call)
    if isinstance(entered, Envelope):
        return entered
    cluster, given = call.cluster, call.arguments
    if given.withdraw:
        return await _withdraw(call, entered)
    lending = await require_open(cluster, entered)
    head = await cluster.ledger.head()
    if head is not None and graph_address(given.graph) in head.envelope.protected:
        return await _propose(call, lending)

    async def act(op_id: str | None) -> BroughtHome:
        asked = engine_call(given, op_id)
        async with inside(cluster, entered) as inner:
            written = await merge_sandbox(cluster, inner, call.caller, asked, lending)
        if written.op is not None and written.op.status == "success":
            await drop_merges(cluster.store, entered, given.graph)
        return BroughtHome(**common(given, written), report=written.value)

    return await once(call, "sandbox_merge", BroughtHome, act, _told)


async def _propose(call: Call, lending: Lending) -> Envelope:
    """Puts the merge before those who decide; nothing is merged by it."""
    given = call.arguments
    held_back = await withheld(call.cluster, given.graph)
    if held_back is not None:
        return failed((held_back,))
    asked = engine_call(given, None)
    async with inside(call.cluster, lending.sandbox) as inner:
        made = await propose_merge(call.cluster, inner, call.caller, asked, lending)
    proposed, report = made.proposed, made.report
    up_to_date = report is not None and report.outcome == "already_up_to_date"
    answer = BroughtHome(
        ok=proposed is not None or up_to_date,
        graph=given.graph,
        op=None,
        diagnostics=made.diagnostics,
        report=report,
        proposed=proposed,
    )
    if not answer.ok:
        return failed(made.diagnostics, summary="Nothing was proposed.", data=answer)
    if proposed is None:
        return done(_told(answer), data=answer)
    told = f"Proposed, for {given.graph} is protected: {proposed.resource} stands in each plan."
    next_call = Next(
        tool="approve",
        arguments={"gate": proposed.resource},
        why="Asks a human to decide; add your intent and a new idempotency_key. Then apply.",
    )
    return done(told, data=answer, next_calls=(next_call,))


async def _withdraw(call: Call, sandbox_id: str) -> Envelope:
    given = call.arguments
    gone = await withdraw_merge(call.cluster, sandbox_id, given.graph, by=call.caller.id)
    if isinstance(gone, Diagnostic):
        return failed((gone,), summary="Nothing was taken back.")
    answer = BroughtHome(ok=True, graph=given.graph, op=None, report=None, proposed=gone)
    return done("Taken back." if gone else "Nothing was proposed.", data=answer)


def _told(answer: Merged) -> str:
    assert answer.report is not None
    if answer.report.outcome == "already_up_to_date":
        return "There was nothing to merge; what was taken back of it since does not come again."
    return "The rows are merged; the sandbox is as it was."


def _context(given: Arguments) -> dict[str, object]:
    sandbox_id = sandbox_of(given.within)
    branch = MAIN if sandbox_id is None else trunk_of(sandbox_id)
    return {"branch": branch, "target_branch": MAIN}


OPERATION = Operation(
    name="sandbox_merge",
    operation_class="write",
    action="branch_merge",
    arguments=Arguments,
    handler=_merge,
    describe="Real. Merges what a sandbox holds of a graph into the real one; for a protected one"
    " it proposes that.",
    resource=lambda given: branch_address(given.graph, MAIN),
    context=_context,
    result=BroughtHome,
    enters=True,
    idempotent=True,
    mcp_tool="sandbox_merge",
    toolset="rows",
    destructive=True,
)
