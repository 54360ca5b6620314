"""The sweep of this host's sandboxes of commands: what is over or belongs to nobody is taken away.

Time counts from creation, whatever the state. A provider that fails at one is told, keeps no other
from being collected, and is asked again by the next sweep. Acceptance cases 4 to 6.
"""

from datetime import datetime, timedelta

from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.sandbox.lending import EndReason, target_of
from agentctl.domain.sandbox.provider import ProviderError, ProviderName
from agentctl.domain.sandbox.records import Sandbox
from agentctl.engine.command_host import COMMANDED, CommandHostError
from agentctl.engine.command_sandboxes import MAKING_MAX, Place, end, living
from agentctl.engine.sandbox_sweep import Ending, SweptCommands
from agentctl.engine.sandboxed import LIFE
from agentctl.engine.sandboxes.errors import NotFoundError, StoreError
from agentctl.engine.snapshotting import BASE
from agentctl.ids import is_ulid, ulid
from agentctl.instants import milliseconds, parse_instant


async def sweep_commands(place: Place) -> SweptCommands:
    """Takes away what is over, and what no record knows; tells the store that this host lives.

    Raises:
        StoreError: the database does not answer.
        CommandHostError: the operator's profile is none.
    """
    records = {one.id: one for one in await living(place)}
    held, counted, told = await _held(place)
    if held or records:
        await place.host.heard(place.store, place.world)
    now = place.world.now()
    young = ulid(milliseconds(now - MAKING_MAX), bytes(10))
    ended: list[Ending] = []
    for sandbox_id in sorted(records.keys() | held.keys()):
        record = records.get(sandbox_id)
        try:
            record = record or await _known(place, sandbox_id)
            if record is None and sandbox_id > young:
                continue  # a copy that a source is being tried with
            is_held = sandbox_id in held or (record is not None and record.provider not in counted)
            reason = await _over(place, record, now, is_held=is_held)
            if reason is None:
                continue
            provider = held.get(sandbox_id) or (record.provider if record is not None else None)
            assert provider is not None, "it is held or has a record"
            await end(place, sandbox_id, provider)
            ended.append(Ending(sandbox=sandbox_id, reason=reason))
        except (ProviderError, StoreError, CommandHostError) as failure:
            told.append(_not_ended(sandbox_id, failure))
    return SweptCommands(ended=tuple(ended), diagnostics=tuple(told))


def expires_at(record: Sandbox) -> datetime:
    """Returns when the time of a sandbox is over, counted from its creation."""
    life = LIFE if record.ttl_seconds is None else timedelta(seconds=record.ttl_seconds)
    return parse_instant(record.created_at) + life


async def _held(
    place: Place,
) -> tuple[dict[str, ProviderName], set[ProviderName], list[Diagnostic]]:
    """Returns which provider holds what, which of them could tell, and why others could not."""
    found: dict[str, ProviderName] = {}
    counted: set[ProviderName] = set()
    told: list[Diagnostic] = []
    runners = place.host.runners()
    for name in COMMANDED:
        provider = runners.provider(name)
        if provider is None:
            continue
        try:
            found |= {one.id: name for one in await provider.inventory() if is_ulid(one.id)}
            counted.add(name)
        except (ProviderError, OSError) as failure:
            told.append(_not_ended(name, failure))
    return found, counted, told


async def _known(place: Place, sandbox_id: str) -> Sandbox | None:
    try:
        return await place.store.get_sandbox(sandbox_id)
    except NotFoundError:
        return None


async def _over(
    place: Place, record: Sandbox | None, now: datetime, *, is_held: bool
) -> EndReason | None:
    """Returns why a sandbox has to go; None for one that may stay."""
    if record is None or record.state == "DESTROYED":
        return "failed"
    if now >= expires_at(record):
        return "expired"
    is_late = now - parse_instant(record.updated_at) > MAKING_MAX
    if record.state in {"CREATED", "STARTING"}:
        return "not_opened" if is_late else None
    if not is_held:
        return "failed"
    if record.state == "ERROR":
        try:
            await place.store.get_snapshot_by_name(record.id, BASE)
        except NotFoundError:
            return "not_opened"
    return None


def _not_ended(what: str, failure: Exception) -> Diagnostic:
    return warning(
        "sandbox_not_ended",
        target_of(what),
        f"the sandbox {what} could not be taken away: {failure}",
        remedy="Nothing to do: the next sweep goes on. To do it now: agentctl sandbox gc",
    )
