"""The records of playbooks and of their tasks, in an order that is never in doubt.

Whatever places a task first locks its playbook, so that two that are placed at once stand one after
the other.
"""

from collections import Counter
from collections.abc import Sequence

import msgspec
from sqlalchemy import case, func, select

from agentctl.domain.sandbox.listing import ListOptions
from agentctl.domain.sandbox.records import AT_END, Playbook, PlaybookTask
from agentctl.engine.sandboxes.entities import PLAYBOOK, TASK
from agentctl.engine.sandboxes.errors import InvalidError, NotFoundError, invalid, not_found
from agentctl.engine.sandboxes.handle import Handle, Work
from agentctl.engine.sandboxes.tables import PLAYBOOK_TASKS, PLAYBOOKS


class PlaybookRecords(Handle):
    """What the store does with playbooks."""

    async def create_playbook(self, playbook: Playbook) -> None:
        """Keeps a new playbook.

        Raises:
            AlreadyExistsError: its id or its name is taken.
        """
        async with self._writing() as work:
            await work.insert(PLAYBOOK, playbook)

    async def get_playbook(self, playbook_id: str) -> Playbook:
        """Returns a playbook.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            return await work.get(PLAYBOOK, playbook_id)

    async def get_playbook_by_name(self, name: str) -> Playbook:
        """Returns the playbook of a name.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            found = await work.find(PLAYBOOK, name=name)
        if found is None:
            raise NotFoundError(not_found("playbook", name))
        return found

    async def list_playbooks(self, options: ListOptions | None = None) -> tuple[Playbook, ...]:
        """Returns the playbooks, newest first unless told otherwise."""
        async with self._reading() as work:
            return await work.page(PLAYBOOK, options, of="playbook")

    async def update_playbook(self, playbook: Playbook) -> Playbook:
        """Replaces a playbook, its tasks apart; returns it as it is kept.

        Raises:
            NotFoundError: there is none.
            AlreadyExistsError: its new name is taken.
        """
        async with self._writing() as work:
            kept = await work.get(PLAYBOOK, playbook.id, lock=True)
            changed = msgspec.structs.replace(
                playbook, created_at=kept.created_at, updated_at=work.now()
            )
            await work.replace(PLAYBOOK, changed)
            return changed

    async def delete_playbook(self, playbook_id: str) -> None:
        """Takes a playbook and its tasks away.

        Raises:
            NotFoundError: there is none.
        """
        async with self._writing() as work:
            gone = PLAYBOOKS.delete().where(PLAYBOOKS.c.id == playbook_id)
            if not await work.change(gone):
                raise NotFoundError(not_found("playbook", playbook_id))

    async def create_playbook_task(self, task: PlaybookTask) -> PlaybookTask:
        """Keeps a new task, after all others where its position is `AT_END`; returns it as kept.

        Raises:
            NotFoundError: there is no such playbook.
            AlreadyExistsError: its id or its position is taken.
        """
        async with self._writing() as work:
            await work.get(PLAYBOOK, task.playbook_id, lock=True)
            if task.position == AT_END:
                position = await _next_position(work, task.playbook_id)
                task = msgspec.structs.replace(task, position=position)
            await work.insert(TASK, task)
            return task

    async def get_playbook_task(self, task_id: str) -> PlaybookTask:
        """Returns a task.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            return await work.get(TASK, task_id)

    async def list_playbook_tasks(
        self, playbook_id: str, options: ListOptions | None = None
    ) -> tuple[PlaybookTask, ...]:
        """Returns the tasks of a playbook, in its order unless told otherwise."""
        async with self._reading() as work:
            where = (PLAYBOOK_TASKS.c.playbook_id == playbook_id,)
            return await work.page(TASK, options, of="task", where=where)

    async def update_playbook_task(self, task: PlaybookTask) -> PlaybookTask:
        """Replaces a task where it stands; returns it as it is kept.

        Raises:
            NotFoundError: there is none.
            InvalidError: it is to move; `reorder_playbook_tasks` does that.
        """
        async with self._writing() as work:
            kept = await work.get(TASK, task.id, lock=True)
            for name in ("playbook_id", "position"):
                if getattr(kept, name) != getattr(task, name):
                    raise InvalidError(invalid(name, f"{name} of a task is not changed so"))
            changed = msgspec.structs.replace(task, created_at=kept.created_at)
            await work.replace(TASK, changed)
            return changed

    async def delete_playbook_task(self, task_id: str) -> None:
        """Takes a task away; the others keep their positions.

        Raises:
            NotFoundError: there is none.
        """
        async with self._writing() as work:
            gone = PLAYBOOK_TASKS.delete().where(PLAYBOOK_TASKS.c.id == task_id)
            if not await work.change(gone):
                raise NotFoundError(not_found("playbook task", task_id))

    async def reorder_playbook_tasks(self, playbook_id: str, task_ids: Sequence[str]) -> None:
        """Gives every task of a playbook the position it has in *task_ids*, or changes nothing.

        Raises:
            NotFoundError: there is no such playbook.
            InvalidError: *task_ids* are not each of its tasks, once.
        """
        async with self._writing() as work:
            await work.get(PLAYBOOK, playbook_id, lock=True)
            mine = PLAYBOOK_TASKS.c.playbook_id == playbook_id
            found = await work.rows(select(PLAYBOOK_TASKS.c.id).where(mine))
            _require_permutation(task_ids, {row.id for row in found})
            if not task_ids:
                return
            position = PLAYBOOK_TASKS.c.position
            await work.change(PLAYBOOK_TASKS.update().where(mine).values(position=-1 - position))
            places = {task_id: index for index, task_id in enumerate(task_ids)}
            moved = case(places, value=PLAYBOOK_TASKS.c.id)
            await work.change(PLAYBOOK_TASKS.update().where(mine).values(position=moved))

    async def get_next_task_position(self, playbook_id: str) -> int:
        """Returns the position after the last task's; 0 where there is none.

        Another task may take it meanwhile; to place one, leave its position `AT_END`.
        """
        async with self._reading() as work:
            return await _next_position(work, playbook_id)


async def _next_position(work: Work, playbook_id: str) -> int:
    last = func.max(PLAYBOOK_TASKS.c.position)
    mine = PLAYBOOK_TASKS.c.playbook_id == playbook_id
    ((highest,),) = await work.rows(select(last).where(mine))
    return 0 if highest is None else int(highest) + 1


def _require_permutation(given: Sequence[str], there: set[str]) -> None:
    """Raises where *given* are not *there*, each once; the message names one that is wrong."""
    strange = [task_id for task_id in given if task_id not in there]
    missing = sorted(there - set(given))
    doubled = sorted(task_id for task_id, times in Counter(given).items() if times > 1)
    for what, ids in (("is no task of it", strange), ("is missing", missing), ("twice", doubled)):
        if ids:
            message = f"an order names every task of the playbook once: {ids[0]} {what}"
            raise InvalidError(invalid("task_ids", message))
