"""Questions to policies that nobody acts on: who may do what, are tests met, what would change.

Asked of the applied bundles or of those that the folder or a draft declares. Who asks may ask about
anybody: what a policy says is no secret to whoever may read the configuration.
"""

from typing import Annotated, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.policy.caller import Caller, PrincipalKind, Via
from agentctl.domain.policy.cases import Case, about, read_cases
from agentctl.domain.policy.decide import Decision, authorise
from agentctl.domain.policy.live import PolicySet
from agentctl.domain.policy.principals import Registry
from agentctl.domain.policy.request import ACTIONS, entity_of
from agentctl.domain.policy.simulate import Impact
from agentctl.engine import policies as engine
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import In
from agentctl_tools.nearness import nearest
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.policies import applied_or_wanted
from agentctl_tools.targets import loaded_of, resource_of, target_of

TESTS_CHARS_MAX = 1_000_000
_VIA: dict[PrincipalKind, Via] = {"human": "cli", "agent": "mcp", "service": "http"}

Of = Annotated[
    Literal["applied", "desired"],
    msgspec.Meta(description="What is in force, or what `in` declares."),
]
Graph = Annotated[str | None, msgspec.Meta(description="The graph that it is about.")]


class ExplainArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `policy_explain` takes."""

    actor: Annotated[str, msgspec.Meta(description="Id of a principal.", max_length=200)]
    action: Annotated[str, msgspec.Meta(description="A Cedar action.", max_length=80)]
    on: Annotated[str | None, msgspec.Meta(description="An address, `draft:ID`, …")] = None
    graph: Graph = None
    branch: str | None = None
    target_branch: str | None = None
    of: Of = "applied"
    within: In = msgspec.field(default="cluster", name="in")


class TestArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `policy_test` takes."""

    __test__ = False  # pytest takes it for a test by its name.

    tests: Annotated[
        str, msgspec.Meta(description="The text of a test file.", max_length=TESTS_CHARS_MAX)
    ]
    file: Annotated[str, msgspec.Meta(description="Its name, for messages.", max_length=400)] = (
        "tests"
    )
    graph: Graph = None
    of: Of = "applied"
    within: In = msgspec.field(default="cluster", name="in")


class SimulateArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `policy_simulate` takes."""

    within: In = msgspec.field(default="cluster", name="in")


class Explained(msgspec.Struct, frozen=True, kw_only=True):
    """One answer with what it came of."""

    actor: str
    kind: str
    enrolled: bool
    groups: tuple[str, ...]
    """Of the principals chain."""
    action: str
    resource: str
    allow: bool
    policies: tuple[str, ...]
    """Ids of the deciding ones, sorted."""
    bundles: tuple[str, ...]
    """Which they are of; empty for the built-in rules."""
    errors: tuple[str, ...]


class CaseResult(msgspec.Struct, frozen=True, kw_only=True):
    """How one case came out."""

    id: str
    expect: str
    got: str
    policies: tuple[str, ...]


class Tested(msgspec.Struct, frozen=True, kw_only=True):
    """How all of them did."""

    passed: int
    failed: int
    cases: tuple[CaseResult, ...]


class Simulated(msgspec.Struct, frozen=True, kw_only=True):
    """What the declared policies would change for whom."""

    impact: Impact | None
    """None where no policy would change."""


def somebody(registry: Registry, actor: str) -> Caller:
    """Returns the principal as it would call; whom the chain does not know is told by the id."""
    known = registry.principals.get(actor)
    living = known is not None and not known.revoked
    prefix = actor.partition(":")[0]
    kind: PrincipalKind = "agent" if prefix == "agent" else "human"
    kind = "service" if prefix == "service" else kind
    if known is not None and living:
        kind = known.kind
    return Caller(
        id=actor,
        kind=kind,
        nid=f"local:{actor}",
        identity=actor,
        via=_VIA[kind],
        groups=known.groups if known is not None and living else (),
        enrolled=living,
    )


async def _explain(call: Call) -> Envelope:
    given: ExplainArguments = call.arguments
    found = await applied_or_wanted(call, given.of, given.within)
    if isinstance(found, Envelope):
        return found
    resource = _resource(given)
    if isinstance(resource, Diagnostic):
        return failed((resource,))
    who = somebody(await call.cluster.principals.registry(), given.actor)
    branches = {"branch": given.branch, "target_branch": given.target_branch}
    context = {name: value for name, value in branches.items() if value is not None}
    decision = authorise(who, given.action, resource, context, policies=found)
    data = Explained(
        actor=who.id,
        kind=who.kind,
        enrolled=who.enrolled,
        groups=who.groups,
        action=given.action,
        resource=resource,
        allow=decision.allow,
        policies=decision.policies,
        bundles=decision.bundles,
        errors=decision.errors,
    )
    return done("Allowed." if decision.allow else "Denied.", data=data)


def _resource(given: ExplainArguments) -> str | Diagnostic:
    if given.action not in ACTIONS:
        near = nearest(given.action, list(ACTIONS))
        return error(
            "invalid_arguments",
            "$.action",
            f"there is no action `{given.action}`",
            remedy=f"Did you mean `{near}`?" if near is not None else "agentctl policy schema",
        )
    resource = given.on or about(given.action, given.graph)
    entity = entity_of(resource) if resource is not None else None
    if resource is None or entity is None or entity[0].uid.type not in ACTIONS[given.action]:
        takes = ", ".join(kind.lower() for kind in ACTIONS[given.action])
        return error(
            "invalid_arguments",
            "$.on",
            f"`{given.action}` is about: {takes}",
            remedy="Name one: --graph ID, or --on ADDRESS",
        )
    return resource


async def _test(call: Call) -> Envelope:
    given: TestArguments = call.arguments
    found = await applied_or_wanted(call, given.of, given.within)
    if isinstance(found, Envelope):
        return found
    read = read_cases(given.tests.encode(), file=given.file, graph=given.graph)
    if read.diagnostics:
        return failed(read.diagnostics)
    registry = await call.cluster.principals.registry()
    answers = [(case, _answer(case, registry, found)) for case in read.cases]
    results = tuple(
        CaseResult(
            id=case.id,
            expect=case.expect,
            got="allow" if answer.allow else "error" if answer.errors else "deny",
            policies=answer.policies,
        )
        for case, answer in answers
    )
    wrong = tuple(
        error(
            "policy_test_failed",
            case.id,
            f"expected {case.expect} for {case.actor} to {case.action} on {case.resource},"
            f" and it is {result.got}",
            detail="\n".join(answer.errors) or None,
        )
        for (case, answer), result in zip(answers, results, strict=True)
        if result.got != case.expect
    )
    data = Tested(passed=len(results) - len(wrong), failed=len(wrong), cases=results)
    summary = f"{count(len(results), 'case')}, {data.failed} failed."
    return Envelope(ok=not wrong, summary=summary, data=data, diagnostics=wrong)


def _answer(case: Case, registry: Registry, policies: PolicySet) -> Decision:
    who = somebody(registry, case.actor)
    return authorise(who, case.action, case.resource, case.context, policies=policies)


async def _simulate(call: Call) -> Envelope:
    target = target_of(call.arguments.within)
    loaded = await loaded_of(call.cluster, call.caller, target)
    if isinstance(loaded, Diagnostic):
        return failed((loaded,))
    if loaded.desired is None:
        return failed(loaded.diagnostics)
    head = await call.cluster.ledger.head()
    registry = await call.cluster.principals.registry()
    asked = engine.Wanted.over(head, loaded.desired, registry)
    impact = await engine.impact(call.cluster, asked)
    told = "No policy would change."
    if impact is not None:
        told = f"{count(impact.asked, 'question')} asked of both."
    return done(told, data=Simulated(impact=impact))


EXPLAIN = Operation(
    name="policy_explain",
    operation_class="read",
    action="config_read",
    arguments=ExplainArguments,
    handler=_explain,
    describe="Look. Whether somebody may do something, and which policies say so.",
    resource=lambda given: resource_of(given.within),
    result=Explained,
    idempotent=True,
)
TEST = Operation(
    name="policy_test",
    operation_class="read",
    action="config_read",
    arguments=TestArguments,
    handler=_test,
    describe="Look. Holds policies against a file of expectations.",
    resource=lambda given: resource_of(given.within),
    result=Tested,
    idempotent=True,
)
SIMULATE = Operation(
    name="policy_simulate",
    operation_class="read",
    action="config_read",
    arguments=SimulateArguments,
    handler=_simulate,
    describe="Look. What the declared policies would change for whom.",
    resource=lambda given: resource_of(given.within),
    result=Simulated,
    idempotent=True,
)
