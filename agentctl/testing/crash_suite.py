"""The crash suite: any command, struck at any of its writes, leaves what the next command mends.

A case is a command and what it begins from. The suite runs it once to count its writes, then once for
each write and each fault, every time from the same bytes, and looks afterwards: at what the struck
process told, at `status`, at the same command again, at an apply that must converge, and at all that
is stored.
"""

from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path
from typing import Literal

import msgspec

from agentctl.domain.approval.records import DecisionArtifact
from agentctl.domain.ledger.state import Tombstone
from agentctl.engine.cluster import Cluster
from agentctl.testing.crash import NEVER, Crash
from agentctl.testing.faults import DEADLY, Fault, Faults
from agentctl.testing.simulation.checks import check_graphs, check_quiet
from agentctl.testing.simulation.loop import run_virtually
from agentctl.testing.sites import Disk, Site, do
from agentctl_tools.operation import Envelope

ALL_FAULTS: tuple[Fault, ...] = ("before", "torn", "after", "lost", "refused")
_SETTLE_S = 60.0
_LEASELESS_S = 11 * 60.0
"""After which an op that holds no lease is settled by others."""


class Case(msgspec.Struct, frozen=True, kw_only=True):
    """A command that is struck."""

    name: str
    prepare: Callable[[Site], Awaitable[None]]
    """Makes what it begins from."""
    command: Callable[[Site, Cluster], Awaitable[Envelope]]
    check: Callable[[Site, Cluster], Awaitable[None]]
    """What holds when all is done, whatever was struck."""
    again: frozenset[str] = frozenset()
    """Codes of errors that the command may be told when it is given again after it had happened."""
    settle: Callable[[Site], Awaitable[None]] | None = None
    """What a person does once the command has happened and before anything else can."""
    converges: bool = True
    """Whether an apply afterwards leaves nothing to do."""
    apply_first: Literal["converges", "waits", "never"] = "converges"
    """What an apply does right after the fault, before the command is given again: at every other
    write it is tried. `waits`: it leaves something to do; `never`: it would be another story."""


class Survey(msgspec.Struct, frozen=True, kw_only=True):
    """A case that was prepared, and its writes when nothing strikes."""

    case: Case
    site: Site
    labels: tuple[str, ...]

    @property
    def writes(self) -> int:
        """How many there are."""
        return len(self.labels)


def survey(case: Case, path: Path, disk: Disk) -> Survey:
    """Prepares a case on *disk* and runs its command once to the end."""
    site = Site(path / "template", disk)
    run_virtually(lambda: _prepared(site, case))
    whole = site.copied(path / "whole")
    labels = run_virtually(lambda: _run(whole, case, NEVER, "before"), begins_s=_after(site))
    return Survey(case=case, site=site, labels=labels)


def strike(surveyed: Survey, path: Path, at: int, fault: Fault) -> None:
    """Runs a case with one fault and checks all that must hold.

    Raises:
        AssertionError: something does not.
    """
    site = surveyed.site.copied(path)
    try:
        run_virtually(lambda: _run(site, surveyed.case, at, fault), begins_s=_after(surveyed.site))
    except BaseException as failure:
        struck = site.faults.struck if site.faults is not None else None
        label = surveyed.labels[at - 1] if at <= surveyed.writes else "a later one"
        failure.add_note(f"{surveyed.case.name}: {fault} write {at}, {struck or label}")
        raise
    site.discard()


def points(writes: int, faults: tuple[Fault, ...] = ALL_FAULTS) -> Iterator[tuple[int, Fault]]:
    """Yields every write with every fault."""
    for at in range(1, writes + 1):
        for fault in faults:
            yield at, fault


def _after(site: Site) -> float:
    return site.ended_s + 1.0


async def _prepared(site: Site, case: Case) -> None:
    await case.prepare(site)
    site.ended_s = site.start().monotonic()


async def _run(site: Site, case: Case, at: int, fault: Fault) -> tuple[str, ...]:
    faults = Faults(site.start("struck"), at, fault)
    envelope = await _struck(site, case, faults)
    if at == NEVER:
        assert envelope is not None
        assert envelope.ok, envelope.diagnostics
    elif faults.struck is not None:
        assert (envelope is None) == (fault in DEADLY), envelope
    if envelope is not None:
        _judge(envelope)
    await _spent_only_for_what_happened(site)
    status = await do(await site.open(), "status", {})
    assert status.ok, status.diagnostics
    if at % 2 and case.apply_first != "never":
        await _apply(site, converges=case.apply_first == "converges" and case.converges)
    again = await case.command(site, await site.open())
    codes = {d.code for d in again.diagnostics if d.severity == "error"}
    assert again.ok or codes <= case.again, again.diagnostics
    if case.settle is not None:
        await case.settle(site)
    await site.start().sleep(_LEASELESS_S)
    await _apply(site, converges=case.converges)
    await _idle(site, case)
    cluster = await site.open()
    await case.check(site, cluster)
    stored = await site.looked_at()
    await check_quiet(stored)
    head = await stored.ledger.head()
    assert head is not None
    check_graphs(site.roots, head.envelope.state)
    return tuple(faults.labels)


async def _struck(site: Site, case: Case, faults: Faults) -> Envelope | None:
    """Returns what the struck process told; None where it died."""
    try:
        return await case.command(site, await site.opened(faults))
    except BaseException as failure:
        if faults.process.dead and _is_crash(failure):
            return None
        raise


def _judge(envelope: Envelope) -> None:
    """Checks that a process that lives says nothing is unknown: it could look, and should have."""
    assert "outcome_unknown" not in {d.code for d in envelope.diagnostics}, envelope.diagnostics
    steps = getattr(envelope.data, "steps", ())
    assert all(step.outcome != "unknown" for step in steps), steps


async def _spent_only_for_what_happened(site: Site) -> None:
    """Checks that an approval of a deletion is used only where that happened."""
    cluster = await site.looked_at()
    head = await cluster.ledger.head()
    if head is None:
        return
    records = await cluster.approvals.records()
    state = head.envelope.state
    spent = set(state.approval_records) | {c.approval_id for c in records.consumptions}
    for artifact in records.artifacts:
        graph = artifact.resource.startswith("graph.") and artifact.operation == "delete"
        if graph and artifact.approval_id in spent:
            _require_done(site, artifact)
    for observed in state.observations.values():
        if isinstance(observed, Tombstone) and observed.approval_id is not None:
            assert observed.approval_id in spent, observed


def _require_done(site: Site, artifact: DecisionArtifact) -> None:
    graph, _, past = artifact.resource.removeprefix("graph.").partition("@")
    kinds = [commit.kind for commit in site.roots.by_id[graph].commits]
    wanted = "erase" if past else "tombstone"
    assert wanted in kinds, f"{artifact.approval_id} is used, and {graph} has no {wanted}"


async def _apply(site: Site, *, converges: bool) -> None:
    cluster = await site.open()
    if await cluster.ledger.head() is None:
        await site.must("import", {"intent": "begin again"})
    done = await do(await site.open(), "apply", {"intent": "what is left", "wait_s": _SETTLE_S})
    assert done.ok, done.diagnostics
    assert not converges or done.data.converged, done.data  # type: ignore[attr-defined]


async def _idle(site: Site, case: Case) -> None:
    done = await do(await site.open(), "apply", {"intent": "nothing is left"})
    assert done.ok, done.diagnostics
    assert not done.data.state_written, done.data  # type: ignore[attr-defined]
    assert done.data.op is None or not case.converges, done.data  # type: ignore[attr-defined]


def _is_crash(failure: BaseException) -> bool:
    if isinstance(failure, BaseExceptionGroup):
        return any(_is_crash(inner) for inner in failure.exceptions)
    return isinstance(failure, Crash)
