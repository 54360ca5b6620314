"""The one door: every call of every face comes through `call`, and nothing else reaches the engine.

The order is a promise: the operation is looked up; what is a human's consent is refused to whoever
is no enrolled human at a terminal; the arguments are decoded; policy decides; the audit record is
written; only then does the handler run. A write, a gate or a consent whose record cannot be written
is not done. Mistakes come back as diagnostics. Source: access-and-faces 3.2, control-plane 3.2.
"""

import re
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import cache
from typing import Final, Literal, get_type_hints

import msgspec

from agentctl.canonical import digest_of, sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.audit.record import AuditActor
from agentctl.domain.policy.caller import Caller
from agentctl.domain.policy.decide import Decision, authorise, denial
from agentctl.domain.sandbox.lending import sandbox_of, target_of
from agentctl.engine.auditlog import AuditUnavailableError
from agentctl.engine.cluster import Cluster
from agentctl.engine.principals import Signer
from agentctl_tools.envelopes import failed, refused
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.fields import Inside
from agentctl_tools.lookup import find_operation
from agentctl_tools.nearness import nearest
from agentctl_tools.operation import Call, Envelope, Notify, Operation
from agentctl_tools.policies import as_unknown, policies_for
from agentctl_tools.targets import FOLDER

_AT: Final = re.compile(r" - at `(?P<path>[^`]*)`$")
_UNKNOWN: Final = re.compile(r"unknown field `(?P<field>[^`]*)`")
CLUSTER: Final = "cluster"
_TERMINALS: Final = frozenset({"cli", "tui"})

Arguments = Mapping[str, object] | msgspec.Struct


async def call(  # noqa: PLR0913  # the door takes what a face knows, and nothing else
    cluster: Cluster,
    caller: Caller,
    name: str,
    arguments: Arguments,
    *,
    signer: Signer | None = None,
    notify: Notify | None = None,
    is_interrupted: Callable[[], bool] = bool,
) -> Envelope:
    """Returns what operation *name* answers to *caller*; never raises for a mistake of a caller.

    Args:
        cluster: the opened cluster.
        caller: who calls, as the face established it; no argument changes it.
        name: the registry's name of the operation.
        arguments: as they came, or already an instance of the operation's own type.
        signer: the human's key where a face at a terminal holds one.
        notify: takes the events of a long run.
        is_interrupted: whether a long run is to end at its next step.
    """
    operation = find_operation(name)
    if _is_consent(name, operation) and not _may_consent(caller):
        return await _refuse_consent(cluster, caller, name, operation, arguments)
    if operation is None or _closed_to(caller, operation):
        return _unknown(name)
    outside = await _out_of_scope(cluster, caller, operation, arguments)
    if outside is not None:
        return outside
    decoded = decode(operation, arguments)
    if not caller.at_terminal and not isinstance(decoded, Diagnostic):
        decoded = _torn(decoded) or decoded
    if isinstance(decoded, Diagnostic):
        return failed((decoded,))
    made = Call(
        caller=caller,
        cluster=cluster,
        arguments=decoded,
        signer=signer,
        notify=notify,
        is_interrupted=is_interrupted,
    )
    try:
        return await _made(made, operation)
    except Exception as failure:
        known = diagnostics_of(failure)
        if known is None:
            raise
        return failed(known)


async def _made(made: Call, operation: Operation) -> Envelope:
    """Decides, records and runs a call, in the cluster or in the sandbox that it names."""
    sandbox = sandbox_named(made.arguments)
    if sandbox is None and not operation.enters:
        nowhere = named_nothing(made.arguments)
        if nowhere is not None:
            return failed((nowhere,))
    if operation.recorded or sandbox is not None:
        from agentctl_tools import insides

        barred = insides.only_read(made.cluster, operation, sandbox)
        if barred is not None:
            return barred
    if sandbox is not None and not operation.enters:
        return await _in_sandbox(made, operation, sandbox)
    refusal = await _refusal(made.cluster, made.caller, operation, made.arguments)
    return refusal or await operation.handler(made)


async def _in_sandbox(made: Call, operation: Operation, sandbox_id: str) -> Envelope:
    """Makes a call in a sandbox: the real cluster's policy decides, its audit log records."""
    from agentctl_tools import insides

    missing = _missing_of_real(made.caller, made.arguments)
    if missing is not None:
        return failed((missing,))
    decision = await insides.admitted_inside(made, operation, sandbox_id)
    if isinstance(decision, Envelope):
        return decision
    if operation.operation_class != "read":
        unrecorded = await _record(
            made.cluster,
            made.caller,
            action=insides.action_inside(operation),
            resource=target_of(sandbox_id),
            decision=decision,
            request_digest=_request_digest(made.arguments),
        )
        if unrecorded is not None:
            return unrecorded
    return await insides.run(made, operation, sandbox_id)


def named_nothing(arguments: msgspec.Struct) -> Diagnostic | None:
    """Returns why a call's `in` names nothing; None where it does, or the operation looks itself.

    Without this a call meant for a sandbox that is spelt otherwise would be made in the real cluster.
    """
    written = getattr(arguments, "within", CLUSTER)
    if written in {CLUSTER, FOLDER} or not _is_of_sandboxes(type(arguments)):
        return None
    return error(
        "invalid_arguments",
        "$.in",
        f"`{written}` is neither `cluster` nor a sandbox, so nothing was done",
        remedy="Write a sandbox as `sandbox:ID`, or leave out `in`: sandbox_list names them.",
    )


@cache
def _is_of_sandboxes(kind: type[msgspec.Struct]) -> bool:
    """Returns whether `in` is about the cluster or a sandbox alone, and about no draft."""
    return get_type_hints(kind, include_extras=True).get("within") == Inside


async def leave(cluster: Cluster) -> None:
    """Ends a face's work with a cluster: writes what the audit log still counts, where it can."""
    with suppress(AuditUnavailableError):
        await cluster.audit.flush()


def sandbox_named(arguments: object) -> str | None:
    """Returns the sandbox that a call's `in` names; None for a call about anything else.

    Args:
        arguments: decoded, or as they came.
    """
    given = arguments.get("in") if isinstance(arguments, Mapping) else None
    given = getattr(arguments, "within", given)
    return sandbox_of(given) if isinstance(given, str) else None


def decode(operation: Operation, arguments: Arguments) -> msgspec.Struct | Diagnostic:
    """Returns the arguments in the operation's own type, or what is wrong with them."""
    if isinstance(arguments, operation.arguments):
        return arguments
    try:
        return msgspec.convert(arguments, operation.arguments)
    except msgspec.ValidationError as invalid:
        return invalid_arguments(operation.arguments, str(invalid))


def _torn(decoded: msgspec.Struct) -> Diagnostic | None:
    """Returns what is wrong with arguments that no file can hold: half of a pair of UTF-16."""
    try:
        msgspec.json.encode(decoded)
    except UnicodeEncodeError:
        why = "a text of it holds half of a pair of UTF-16, which is no character"
        return error("invalid_arguments", "$", why, remedy="Send whole characters.")
    return None


def invalid_arguments(kind: type[msgspec.Struct], told: str) -> Diagnostic:
    """Returns the diagnostic for what msgspec *told* about arguments of *kind*."""
    at = _AT.search(told)
    unknown = _UNKNOWN.search(told)
    known = [f.encode_name for f in msgspec.structs.fields(kind)]
    remedy = f"It takes: {', '.join(known)}." if known else "It takes no arguments."
    if unknown is not None:
        near = nearest(unknown["field"], known)
        remedy = f"Did you mean `{near}`? {remedy}" if near is not None else remedy
    elif at is not None and (name := at["path"].removeprefix("$.")) in known:
        remedy = f"Give `{name}` as it is expected, or leave it out where it has a default."
    return error(
        "invalid_arguments",
        at["path"] if at is not None else "$",
        _AT.sub("", told),
        remedy=remedy,
    )


def _is_consent(name: str, operation: Operation | None) -> bool:
    if operation is None:
        return name in _consent_words()
    return operation.operation_class == "human_only"


def _consent_words() -> Mapping[str, str]:
    from agentctl_tools.catalog import CONSENT_WORDS

    return CONSENT_WORDS


def _may_consent(caller: Caller) -> bool:
    return caller.via in _TERMINALS and caller.kind == "human" and caller.enrolled


def _closed_to(caller: Caller, operation: Operation) -> bool:
    """Over MCP a write needs a tool of its own; there is no other way in."""
    return (
        caller.via == "mcp" and operation.operation_class != "read" and operation.mcp_tool is None
    )


async def _out_of_scope(
    cluster: Cluster, caller: Caller, operation: Operation, arguments: Arguments
) -> Envelope | None:
    """Refuses, and records, what the caller's token is not good for, whatever policy permits."""
    word = operation.describe.partition(".")[0].lower()
    if word == "real" and operation.inside and sandbox_named(arguments) is not None:
        word = "try"
    if caller.scopes is None or word in caller.scopes:
        return None
    unrecorded = await _record(
        cluster,
        caller,
        action=operation.action,
        resource="cluster",
        decision=Decision(allow=False),
        request_digest=_request_digest(arguments),
        reason="scope_missing",
    )
    has = ", ".join(caller.scopes) or "nothing"
    return unrecorded or refused(
        "scope_missing",
        operation.name,
        f"the token is good for {has}, and `{operation.name}` needs `{word}`",
        remedy=f"Ask a human for a token with it: agentctl token create --scope {word}",
    )


def _unknown(name: str) -> Envelope:
    from agentctl_tools.catalog import OPERATIONS

    near = nearest(name, list(OPERATIONS))
    remedy = f"Did you mean `{near}`?" if near is not None else None
    return refused("unknown_operation", name, "there is no such operation here", remedy=remedy)


async def _refusal(
    cluster: Cluster, caller: Caller, operation: Operation, arguments: msgspec.Struct
) -> Envelope | None:
    """Returns why the call is not made; None where it was decided, recorded, and may run."""
    missing = _missing_of_real(caller, arguments)
    if missing is not None:
        return failed((missing,))
    return await _admit(cluster, caller, operation, arguments)


def _missing_of_real(caller: Caller, arguments: msgspec.Struct) -> Diagnostic | None:
    """Returns what a change lacks: its reason always, over MCP its key too."""
    fields = {f.name for f in msgspec.structs.fields(arguments)}
    if "intent" in fields and not str(getattr(arguments, "intent", "") or "").strip():
        return error(
            "intent_required",
            "$.intent",
            "a change needs an intent: why it is wanted",
            remedy="Say in `intent` why you make this change.",
        )
    if caller.via == "mcp" and "idempotency_key" in fields:
        key = getattr(arguments, "idempotency_key", None)
        if key is None or not str(key).strip():
            return error(
                "idempotency_key_required",
                "$.idempotency_key",
                "a change over MCP needs an idempotency key",
                remedy="Send a key of your own, new for each change, the same for a retry.",
            )
    return None


async def _admit(
    cluster: Cluster, caller: Caller, operation: Operation, arguments: msgspec.Struct
) -> Envelope | None:
    """Decides and records; returns the refusal, or None where the handler may run."""
    resource = operation.resource(arguments)
    policies = await policies_for(cluster, caller)
    if isinstance(policies, Envelope):
        return policies
    context = operation.context(arguments) if operation.context is not None else {}
    decision = authorise(caller, operation.action, resource, context, policies=policies)
    if decision.allow and operation.operation_class == "read":
        return None
    told = denial(decision, caller=caller, action=operation.action, resource=resource)
    unrecorded = await _record(
        cluster,
        caller,
        action=operation.action,
        resource=resource,
        decision=decision,
        request_digest=_request_digest(arguments),
        digests=_digests(arguments),
    )
    if told is not None and operation.action == "invoke_query" and not decision.errors:
        told = await as_unknown(cluster, caller, resource)
    return failed((told,)) if told is not None else unrecorded


async def _refuse_consent(
    cluster: Cluster,
    caller: Caller,
    name: str,
    operation: Operation | None,
    arguments: Arguments,
) -> Envelope:
    """Refuses a consent to whoever is no enrolled human at a terminal, and records that it was tried."""
    resource = "cluster"
    if operation is not None:
        decoded = decode(operation, arguments)
        if not isinstance(decoded, Diagnostic):
            resource = operation.resource(decoded)
    unrecorded = await _record(
        cluster,
        caller,
        action=_consent_words().get(name) or (operation.action if operation is not None else name),
        resource=resource,
        decision=Decision(allow=False),
        request_digest=_request_digest(arguments),
        reason="human_only",
    )
    if caller.kind == "human" and caller.via in _TERMINALS:
        remedy = "Run `agentctl init` in the cluster's folder to make the first human key."
        return unrecorded or refused(
            "human_only", resource, f"{caller.id} is not an enrolled human", remedy=remedy
        )
    return unrecorded or refused(
        "human_only",
        resource,
        f"`{name}` is a human's consent and cannot be given here",
        remedy="Use `approve` with the gate to ask for it; a human decides in their own terminal.",
    )


async def _record(  # noqa: PLR0913  # the fields of an audit record
    cluster: Cluster,
    caller: Caller,
    *,
    action: str,
    resource: str,
    decision: Decision,
    request_digest: str,
    digests: Mapping[str, str] | None = None,
    reason: str | None = None,
) -> Envelope | None:
    """Writes the audit record; returns the refusal where it could not be written."""
    verdict: Literal["allow", "deny", "error"] = "allow" if decision.allow else "deny"
    if decision.errors:
        verdict = "error"
    told = reason or ("; ".join(decision.errors) or None if decision.errors else None)
    if verdict == "deny" and told is None:
        told = "denied"
    try:
        await cluster.audit.append(
            actor=AuditActor(
                nid=caller.nid, identity=caller.identity, kind=caller.kind, source=caller.source
            ),
            on_behalf_of=caller.on_behalf_of,
            action=action,
            resource=resource,
            decision=verdict,
            policies=decision.policies,
            reason=told,
            digests=digests or {},
            request_digest=request_digest,
            op=None,
        )
    except AuditUnavailableError as failure:
        return failed((msgspec.structs.replace(failure.diagnostic, path=resource),))
    return None


def _digests(arguments: msgspec.Struct) -> dict[str, str]:
    """Returns the digests that the arguments name."""
    named = {"plan": "plan_id", "gate": "gate_digest"}
    given = {name: getattr(arguments, field, None) for name, field in named.items()}
    return {name: value for name, value in given.items() if isinstance(value, str)}


def _request_digest(arguments: Arguments) -> str:
    """Returns the digest that proves what was asked without telling it."""
    try:
        return digest_of(arguments)
    except (TypeError, ValueError):
        return sha256_hex(repr(arguments).encode("utf-8", "backslashreplace"))
