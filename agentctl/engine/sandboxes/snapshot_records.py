"""The records of snapshots, and of what changed between two of them."""

from agentctl.domain.sandbox.listing import ListOptions
from agentctl.domain.sandbox.records import ChangeSet, Diff, Snapshot
from agentctl.engine.sandboxes.entities import CHANGE_SET, DIFF, SANDBOX, SNAPSHOT
from agentctl.engine.sandboxes.errors import InvalidError, NotFoundError, invalid, not_found
from agentctl.engine.sandboxes.handle import Handle, Work
from agentctl.engine.sandboxes.tables import CHANGE_SETS, DIFFS, SNAPSHOTS


class SnapshotRecords(Handle):
    """What the store does with snapshots, differences and change sets."""

    async def create_snapshot(self, snapshot: Snapshot) -> None:
        """Keeps a new snapshot.

        Raises:
            NotFoundError: there is no such sandbox.
            AlreadyExistsError: the sandbox has one of that name.
        """
        async with self._writing() as work:
            await work.get(SANDBOX, snapshot.sandbox_id)
            await work.insert(SNAPSHOT, snapshot)

    async def get_snapshot(self, snapshot_id: str) -> Snapshot:
        """Returns a snapshot.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            return await work.get(SNAPSHOT, snapshot_id)

    async def get_snapshot_by_name(self, sandbox_id: str, name: str) -> Snapshot:
        """Returns the snapshot of a sandbox by its name.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            return await _snapshot(work, sandbox_id, name)

    async def list_snapshots(
        self, sandbox_id: str, options: ListOptions | None = None
    ) -> tuple[Snapshot, ...]:
        """Returns the snapshots of a sandbox, newest first unless told otherwise."""
        async with self._reading() as work:
            where = (SNAPSHOTS.c.sandbox_id == sandbox_id,)
            return await work.page(SNAPSHOT, options, of="snapshot", where=where)

    async def save_diff(self, diff: Diff) -> None:
        """Keeps what changed between two snapshots.

        Raises:
            NotFoundError: the sandbox has no such snapshot.
            AlreadyExistsError: the difference of these two is kept already.
        """
        async with self._writing() as work:
            await _snapshot(work, diff.sandbox_id, diff.from_snapshot)
            await _snapshot(work, diff.sandbox_id, diff.to_snapshot)
            await work.insert(DIFF, diff)

    async def get_diff(self, diff_id: str) -> Diff:
        """Returns a difference.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            return await work.get(DIFF, diff_id)

    async def get_diff_by_snapshots(
        self, sandbox_id: str, from_snapshot: str, to_snapshot: str
    ) -> Diff:
        """Returns the difference of two snapshots of a sandbox, by their names.

        Raises:
            NotFoundError: there is no such snapshot, or their difference was never kept.
        """
        async with self._reading() as work:
            await _snapshot(work, sandbox_id, from_snapshot)
            await _snapshot(work, sandbox_id, to_snapshot)
            found = await work.find(
                DIFF, sandbox_id=sandbox_id, from_snapshot=from_snapshot, to_snapshot=to_snapshot
            )
        if found is None:
            name = f"of {from_snapshot} and {to_snapshot} in sandbox {sandbox_id}"
            raise NotFoundError(not_found("diff", name))
        return found

    async def list_diffs(
        self, sandbox_id: str, options: ListOptions | None = None
    ) -> tuple[Diff, ...]:
        """Returns the differences kept of a sandbox, newest first unless told otherwise."""
        async with self._reading() as work:
            where = (DIFFS.c.sandbox_id == sandbox_id,)
            return await work.page(DIFF, options, of="diff", where=where)

    async def create_change_set(self, change_set: ChangeSet) -> None:
        """Keeps the change set of a job.

        Raises:
            NotFoundError: there is no such sandbox or difference.
            InvalidError: the difference is another sandbox's.
            AlreadyExistsError: the job has one.
        """
        async with self._writing() as work:
            await work.get(SANDBOX, change_set.sandbox_id)
            diff = await work.get(DIFF, change_set.diff_id)
            if diff.sandbox_id != change_set.sandbox_id:
                message = f"diff {diff.id} is of sandbox {diff.sandbox_id}"
                raise InvalidError(invalid("diff_id", message))
            await work.insert(CHANGE_SET, change_set)

    async def get_change_set(self, change_set_id: str) -> ChangeSet:
        """Returns a change set.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            return await work.get(CHANGE_SET, change_set_id)

    async def get_change_set_by_job(self, job_id: str) -> ChangeSet:
        """Returns the change set of a job.

        Raises:
            NotFoundError: it has none.
        """
        async with self._reading() as work:
            found = await work.find(CHANGE_SET, job_id=job_id)
        if found is None:
            raise NotFoundError(not_found("change set", f"of job {job_id}"))
        return found

    async def list_change_sets(
        self, sandbox_id: str | None = None, options: ListOptions | None = None
    ) -> tuple[ChangeSet, ...]:
        """Returns the change sets, of one sandbox where it is given, newest first."""
        async with self._reading() as work:
            where = () if sandbox_id is None else (CHANGE_SETS.c.sandbox_id == sandbox_id,)
            return await work.page(CHANGE_SET, options, of="change_set", where=where)


async def _snapshot(work: Work, sandbox_id: str, name: str) -> Snapshot:
    found = await work.find(SNAPSHOT, sandbox_id=sandbox_id, name=name)
    if found is None:
        raise NotFoundError(not_found("snapshot", f"{name} in sandbox {sandbox_id}"))
    return found
