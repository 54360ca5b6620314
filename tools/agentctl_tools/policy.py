"""`policy validate` and `policy schema`: what bundles there are, and what they may speak of."""

import msgspec

from agentctl.diagnostics.bag import has_errors
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.policy.atoms import atoms
from agentctl.domain.policy.live import AppliedBundle
from agentctl.domain.policy.request import schema_text
from agentctl_tools.envelopes import count, done, failed
from agentctl_tools.fields import In
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.policies import applied_or_wanted, policy_alarms
from agentctl_tools.policy_ask import Of
from agentctl_tools.targets import loaded_of, resource_of, target_of


class ValidateArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `policy_validate` takes."""

    of: Of = "desired"
    within: In = msgspec.field(default="cluster", name="in")


class SchemaArguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """`policy_schema` takes no arguments."""


class BundleSeen(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One bundle."""

    name: str
    kind: str
    """yaml, cedar or broken."""
    applies_to: tuple[str, ...]
    digest: str
    permits: int
    """Cedar policies that permit; of YAML one for each rule and action."""
    forbids: int
    decides: tuple[str, ...] = ()
    """Of YAML: the actions over which it decides in its scopes."""


class BundlesSeen(msgspec.Struct, frozen=True, kw_only=True):
    """Every bundle, by name."""

    policies: tuple[BundleSeen, ...]


class SchemaText(msgspec.Struct, frozen=True, kw_only=True):
    """The vocabulary of policies."""

    schema: str


async def _validate(call: Call) -> Envelope:
    given: ValidateArguments = call.arguments
    told: tuple[Diagnostic, ...] = ()
    if given.of == "desired":
        loaded = await loaded_of(call.cluster, call.caller, target_of(given.within))
        if isinstance(loaded, Diagnostic):
            return failed((loaded,))
        told = tuple(d for d in loaded.diagnostics if d.path.startswith("policy."))
        if loaded.desired is None:
            return failed(told or loaded.diagnostics)
    found = await applied_or_wanted(call, given.of, given.within)
    if isinstance(found, Envelope):
        return found
    told = (*told, *policy_alarms(found))
    data = BundlesSeen(policies=tuple(map(_seen, found.bundles)))
    return Envelope(
        ok=not has_errors(told),
        summary=f"{count(len(found.bundles), 'policy', 'policies')}.",
        data=data,
        diagnostics=told,
    )


def _seen(bundle: AppliedBundle) -> BundleSeen:
    effects = [atom.effect for atom in atoms(bundle.text)] if bundle.text else []
    return BundleSeen(
        name=bundle.name,
        kind=bundle.kind,
        applies_to=bundle.applies_to,
        digest=bundle.digest,
        permits=effects.count("permit"),
        forbids=effects.count("forbid"),
        decides=tuple(sorted(bundle.decides)),
    )


async def _schema(call: Call) -> Envelope:  # noqa: ARG001  # one shape for all handlers
    return done("The Cedar schema of namespace AgentCtl.", data=SchemaText(schema=schema_text()))


VALIDATE = Operation(
    name="policy_validate",
    operation_class="read",
    action="config_read",
    arguments=ValidateArguments,
    handler=_validate,
    describe="Look. The policies, declared or applied, and what is wrong with them.",
    resource=lambda given: resource_of(given.within),
    result=BundlesSeen,
    idempotent=True,
)
SCHEMA = Operation(
    name="policy_schema",
    operation_class="read",
    action="explain",
    arguments=SchemaArguments,
    handler=_schema,
    describe="Look. The Cedar schema that policies are held against.",
    resource=lambda _: "cluster",
    result=SchemaText,
    idempotent=True,
)
