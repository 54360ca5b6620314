"""The records of sandboxes: made, found, moved by their machine, and never taken away."""

from typing import Any, assert_never

import msgspec

from agentctl.domain.sandbox.listing import ListOptions, SandboxFilter
from agentctl.domain.sandbox.machine import Rejection, move
from agentctl.domain.sandbox.records import Clear, Sandbox, SandboxState
from agentctl.engine.sandboxes.entities import SANDBOX
from agentctl.engine.sandboxes.errors import (
    ConflictError,
    InvalidError,
    NotFoundError,
    conflict,
    invalid,
    not_found,
)
from agentctl.engine.sandboxes.handle import Handle, Work
from agentctl.engine.sandboxes.host_records import release
from agentctl.engine.sandboxes.tables import SANDBOXES

_FIXED = ("job_id", "agent_id", "base_image", "provider", "created_at")
"""What a sandbox was made with and keeps."""


class SandboxRecords(Handle):
    """What the store does with sandboxes."""

    async def create_sandbox(self, sandbox: Sandbox) -> None:
        """Keeps a new sandbox.

        Raises:
            AlreadyExistsError: its id is taken, or its name by a living one.
            InvalidError: it is destroyed already, or has a value that cannot be kept.
        """
        async with self._writing() as work:
            if sandbox.state == "DESTROYED":
                raise InvalidError(invalid("state", "a new sandbox is not DESTROYED"))
            await work.insert(SANDBOX, sandbox)

    async def get_sandbox(self, sandbox_id: str) -> Sandbox:
        """Returns a sandbox, a destroyed one too.

        Raises:
            NotFoundError: there was never one.
        """
        async with self._reading() as work:
            return await work.get(SANDBOX, sandbox_id)

    async def get_sandbox_by_vm_name(self, name: str) -> Sandbox:
        """Returns the living sandbox of a name.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            found = await work.find(SANDBOX, sandbox_name=name, deleted_at=None)
        if found is None:
            raise NotFoundError(not_found("sandbox", name))
        return found

    async def list_sandboxes(
        self, wanted: SandboxFilter | None = None, options: ListOptions | None = None
    ) -> tuple[Sandbox, ...]:
        """Returns the sandboxes that *wanted* asks for, newest first unless told otherwise."""
        async with self._reading() as work:
            where = _conditions(wanted or SandboxFilter())
            return await work.page(SANDBOX, options, of="sandbox", where=where)

    async def update_sandbox(self, sandbox: Sandbox) -> Sandbox:
        """Replaces what may change of a sandbox; returns it as it is kept.

        Its state has to be the one that is kept: `update_sandbox_state` is what moves it.

        Raises:
            NotFoundError: there was never one.
            ConflictError: it was moved or destroyed meanwhile.
            AlreadyExistsError: its new name is taken.
            InvalidError: it differs in what a sandbox keeps all its life.
        """
        async with self._writing() as work:
            kept = await work.get(SANDBOX, sandbox.id, lock=True)
            if kept.state == "DESTROYED" or kept.state != sandbox.state:
                raise ConflictError(conflict("sandbox", f"sandbox {kept.id} is {kept.state}"))
            for name in _FIXED:
                if getattr(kept, name) != getattr(sandbox, name):
                    raise InvalidError(invalid(name, f"{name} of a sandbox never changes"))
            changed = msgspec.structs.replace(sandbox, updated_at=work.now())
            await work.replace(SANDBOX, changed)
            return changed

    async def update_sandbox_state(
        self,
        sandbox_id: str,
        to: SandboxState,
        *,
        ip_address: str | Clear | None = None,
        expected: SandboxState | None = None,
    ) -> Sandbox:
        """Moves a sandbox; returns it as it is kept.

        DESTROYED hides it from lists, frees its name and gives back what its host reserved; a
        second time changes nothing.

        Args:
            sandbox_id: which.
            to: where it goes.
            ip_address: its address; None keeps the one that is kept, `CLEAR` takes it away.
            expected: where it has to be; None for any state from which the move is legal.

        Raises:
            NotFoundError: there was never one.
            ConflictError: no move leads there, or it is not where it was expected.
        """
        async with self._writing() as work:
            kept = await work.get(SANDBOX, sandbox_id, lock=True)
            if expected is not None and kept.state != expected:
                message = f"sandbox {kept.id} is {kept.state}, not {expected}"
                raise ConflictError(conflict("sandbox", message))
            moved = move(kept.state, to)
            if isinstance(moved, Rejection):
                message = f"sandbox {kept.id} does not go from {moved.at} to {moved.wanted}"
                raise ConflictError(conflict("sandbox", message))
            if kept.state == "DESTROYED":
                return kept
            return await _moved(work, kept, moved, chosen(kept.ip_address, ip_address))

    async def delete_sandbox(self, sandbox_id: str) -> None:
        """Marks a sandbox as destroyed; its history stays.

        Raises:
            NotFoundError: there was never one.
        """
        await self.update_sandbox_state(sandbox_id, "DESTROYED")


def chosen(kept: str | None, given: str | Clear | None) -> str | None:
    """Returns what an update leaves in a field."""
    match given:
        case None:
            return kept
        case Clear.CLEAR:
            return None
        case str():
            return given
        case _:
            assert_never(given)


async def _moved(work: Work, kept: Sandbox, to: SandboxState, ip_address: str | None) -> Sandbox:
    now = work.now()
    destroyed = to == "DESTROYED"
    sandbox = msgspec.structs.replace(
        kept,
        state=to,
        ip_address=ip_address,
        updated_at=now,
        deleted_at=now if destroyed else None,
    )
    await work.replace(SANDBOX, sandbox)
    if destroyed:
        await release(work, kept.id)
    return sandbox


def _conditions(wanted: SandboxFilter) -> list[Any]:
    columns = SANDBOXES.c
    asked = {
        "agent_id": wanted.agent_id,
        "job_id": wanted.job_id,
        "base_image": wanted.base_image,
        "state": wanted.state,
        "sandbox_name": wanted.vm_name,
        "provider": wanted.provider,
    }
    conditions: list[Any] = [
        columns[name] == value for name, value in asked.items() if value is not None
    ]
    if not wanted.deleted and wanted.state != "DESTROYED":
        conditions.append(columns.deleted_at.is_(None))
    return conditions
