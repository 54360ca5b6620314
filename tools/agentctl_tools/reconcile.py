"""`reconcile`: keeps the cluster what the folder, or a git ref, says, as far as policy lets it.

Each plan, apply and request that it makes is a call of its own through the door, so policy decides
over it and the audit chain records it, as if somebody had typed it. It never consents.
"""

from collections.abc import Awaitable, Iterable, Mapping
from contextlib import suppress
from typing import Annotated, Final, TypeVar

import msgspec

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.plan.model import ApprovalNeed
from agentctl.domain.reconcile.events import FAILURES, REASONS, Found, Mark, Mode
from agentctl.domain.reconcile.telling import Told, Transition
from agentctl.engine import reconcile as engine
from agentctl.engine.reconcile import ActFailedError, Looked
from agentctl.engine.reconciling import (
    Eye,
    cause_of,
    found_in,
    has_due_purges,
    has_moved,
    lasting_drift,
    open_needs,
)
from agentctl.engine.results import ApplyResult
from agentctl.engine.world import mint_nonce
from agentctl_tools.envelopes import done, failed
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.fields import Intent
from agentctl_tools.operation import Call, Envelope, Operation
from agentctl_tools.plan import PlanAnswer

T = TypeVar("T")

INTERVAL_S_MIN: Final = 1.0
INTERVAL_S_MAX: Final = 86_400.0
NOTICES_EVERY_S: Final = 60.0
"""How often it looks for requests whose time is half over or about to end."""
_WIRES: Final = frozenset({"mcp", "http"})
"""Over which it is made once, whatever is asked: a call is to end, and a loop is its operator's."""
_KEYED: Final = frozenset({"apply", "request_approval"})
"""What takes a key, which over MCP must be given."""
TOLD_MAX: Final = 5
"""Of the mistakes, one line of output names as many."""


class Arguments(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What `reconcile` takes."""

    intent: Intent
    once: bool = False
    dry_run: bool = False
    interval_s: Annotated[float, msgspec.Meta(ge=INTERVAL_S_MIN, le=INTERVAL_S_MAX)] = 300.0
    ref: Annotated[str, msgspec.Meta(min_length=1, max_length=250)] | None = None
    """A git ref that is watched in place of the folder."""


class ReconcileResult(msgspec.Struct, frozen=True, kw_only=True):
    """How it ended."""

    ok: bool
    config_dir: str
    last: Transition
    diagnostics: tuple[Diagnostic, ...] = ()


class _Acts:
    """What a reconciler does, each through the door."""

    def __init__(self, call: Call, given: Arguments) -> None:
        self._call = call
        self._intent = given.intent
        self._ref = given.ref
        self._eye = Eye(call.cluster, given.ref)
        self._held: tuple[Diagnostic, ...] = ()
        """What the last apply told, where it did nothing."""
        self._quiet = given.dry_run
        self._told_s: float | None = None
        """When people were told last of what time alone makes worth telling."""
        self._unheard: tuple[Diagnostic, ...] = ()
        """Why some of them were not reached then."""

    async def look(self) -> Mark:
        await self._tell_what_is_due()
        return await _known(self._eye.look())

    async def plan(self, *, closely: bool) -> Looked:
        target = self._eye.target
        if target is None:
            return Looked(found=Found(invalid=True), told=Told(diagnostics=(self._no_commit(),)))
        envelope = await self._through("plan", {"in": target, "refresh": closely})
        answer = envelope.data
        if not isinstance(answer, PlanAnswer):
            raise _failure(envelope.diagnostics)
        result = answer.result
        if answer.plan is None and cause_of(result.diagnostics) != "failed":
            raise _failure(result.diagnostics)
        purges = await _known(has_due_purges(self._call.cluster))
        found = found_in(result, planned=answer.plan is not None, purges=purges)
        told = Told(
            plan=result.plan_digest,
            waiting=tuple(need.resource for need in open_needs(result.approvals_required)),
            drifted=tuple(drift.address for drift in lasting_drift(result)),
            diagnostics=_errors(result.diagnostics) or self._held or self._unheard,
        )
        return Looked(found=found, told=told)

    async def apply(self, *, closely: bool) -> Looked:
        arguments = {
            "in": self._eye.target,
            "intent": self._intent,
            "without_gated": True,
            "refresh": closely,
        }
        envelope = await self._through("apply", arguments)
        result = envelope.data
        if not isinstance(result, ApplyResult):
            raise _failure(envelope.diagnostics)
        told = Told(
            plan=result.plan_digest,
            op=result.op,
            done=result.applied_count,
            waiting=tuple(need.resource for need in open_needs(result.approvals_required)),
            diagnostics=_errors(result.diagnostics),
        )
        if not result.ok:
            raise ActFailedError(cause_of(result.diagnostics), told)
        moved = has_moved(result)
        self._held = () if moved else _holding(result.diagnostics)
        return Looked(moved=moved, told=told)

    async def ask(self, gate: ApprovalNeed) -> Looked:
        arguments = {"gate": gate.gate_key, "intent": self._intent, "in": self._eye.target}
        envelope = await self._through("request_approval", arguments)
        if not envelope.ok and cause_of(envelope.diagnostics) != "failed":
            raise _failure(envelope.diagnostics)
        return Looked(
            told=Told(waiting=(gate.resource,), diagnostics=_errors(envelope.diagnostics))
        )

    async def _tell_what_is_due(self) -> None:
        """Tells people of requests whose time runs out, now and then; nothing fails by it."""
        now = self._call.cluster.world.monotonic()
        early = self._told_s is not None and now - self._told_s < NOTICES_EVERY_S
        if self._quiet or self._call.cluster.tell is None or early:
            return
        self._told_s = now
        with suppress(ActFailedError):
            told = await self._through("notify", {})
            self._unheard = tuple(sort_diagnostics(told.diagnostics))[:TOLD_MAX]

    async def _through(self, name: str, arguments: Mapping[str, object]) -> Envelope:
        from agentctl_tools import door  # the door knows every operation, this one too

        call = self._call
        await self._require_standing()
        if call.caller.via == "mcp" and name in _KEYED:
            key = f"reconcile:{mint_nonce(call.cluster.world)}"  # Each act is a change of its own.
            arguments = {**arguments, "idempotency_key": key}
        return await door.call(
            call.cluster, call.caller, name, arguments, is_interrupted=call.is_interrupted
        )

    async def _require_standing(self) -> None:
        """Refuses to act for somebody who was revoked while this runs: that may be for months."""
        caller = self._call.caller
        if not caller.enrolled:
            return
        registry = await _known(self._call.cluster.principals.registry())
        known_as = registry.principals.get(caller.id)
        if known_as is None or known_as.revoked:
            told = error(
                "denied",
                "cluster",
                f"{caller.id}, for whom this reconciles, was revoked",
                remedy="Let somebody else start it.",
            )
            raise _failure((told,))

    def _no_commit(self) -> Diagnostic:
        return error(
            "git_commit_unreadable",
            self._ref or "HEAD",
            "the git ref names no commit here",
            remedy="See `git log -1 REF` in the cluster's folder; a remote ref is to be fetched.",
        )


async def _handle(call: Call) -> Envelope:
    given = call.arguments
    assert isinstance(given, Arguments)
    mode = Mode(
        once=given.once or call.caller.via in _WIRES,
        dry_run=given.dry_run,
        interval_s=given.interval_s,
        poll_s=min(Mode().poll_s, given.interval_s),
    )

    async def tell(transition: Transition) -> None:
        if call.notify is not None:
            await call.notify(transition)

    last = await engine.reconcile(
        _Acts(call, given),
        mode,
        world=call.cluster.world,
        sleep=call.cluster.sleep,
        tell=tell,
        is_interrupted=call.is_interrupted,
    )
    assert last.why is not None, "an end has a reason"
    bad = last.why in FAILURES or last.why == "folder_invalid"
    told = last.told.diagnostics
    if last.why == "no_progress":
        told = (*told, _no_progress())
    result = ReconcileResult(
        ok=not bad, config_dir=call.cluster.config_dir, last=last, diagnostics=told
    )
    summary = f"Ended: {REASONS[last.why]}."
    if bad:
        return failed(told, summary=summary, data=result)
    return done(summary, data=result, ok=True)


async def _known(asked: Awaitable[T]) -> T:
    """Returns what was asked for; a failure of the world is one after which it is tried again."""
    try:
        return await asked
    except Exception as failure:
        known = diagnostics_of(failure)
        if known is None:
            raise
        raise _failure(known) from failure


def _failure(diagnostics: Iterable[Diagnostic]) -> ActFailedError:
    found = tuple(diagnostics)
    return ActFailedError(cause_of(found), Told(diagnostics=_errors(found)))


def _errors(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Returns the first errors: why it waits, not all that a plan would tell."""
    return tuple(d for d in sort_diagnostics(diagnostics) if d.severity == "error")[:TOLD_MAX]


def _holding(diagnostics: Iterable[Diagnostic]) -> tuple[Diagnostic, ...]:
    """Returns what may have kept an apply from doing anything, which is told as warnings."""
    waits = {"approval_required", "apply_dependency_blocked"}
    found = (d for d in sort_diagnostics(diagnostics) if d.severity == "warning")
    return tuple(d for d in found if d.code not in waits)[:TOLD_MAX]


def _no_progress() -> Diagnostic:
    return error(
        "reconcile_no_progress",
        "cluster",
        "an apply did nothing, and a plan still has something to apply",
        remedy="See what holds it: agentctl plan, then agentctl apply",
    )


OPERATION = Operation(
    name="reconcile",
    operation_class="write",
    action="cluster_apply",
    arguments=Arguments,
    handler=_handle,
    describe="Real. Plans and applies on every change, as far as policy lets it; asks for the rest.",
    resource=lambda _: "cluster",
    result=ReconcileResult,
    destructive=True,
    mcp_tool="reconcile",
    toolset="operator",
)
