"""Records of sandboxes as tests want them: everything filled in, and what matters given."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from agentctl.domain.sandbox.difference import ChangeDiff
from agentctl.domain.sandbox.records import (
    ChangeSet,
    Command,
    Diff,
    HostResources,
    Playbook,
    PlaybookTask,
    Publication,
    Sandbox,
    Snapshot,
    SourceVM,
)
from agentctl.instants import format_instant
from agentctl.testing.clock import START

STARTED: Final = format_instant(START)


class SteppingClock:
    """A time that moves when it is told to."""

    def __init__(self) -> None:
        self.now: datetime = START

    def __call__(self) -> datetime:
        """Returns the time."""
        return self.now

    def advance(self, seconds: float) -> None:
        """Moves it."""
        self.now += timedelta(seconds=seconds)


def instant(seconds: float) -> str:
    """Returns so many seconds after the beginning, as records have it."""
    return format_instant(START + timedelta(seconds=seconds))


def sandbox(id: str = "sbx-1", **given: Any) -> Sandbox:  # noqa: A002, ANN401  # as the records have it
    """Returns a graph sandbox that was just made, named as its id."""
    usual = {
        "id": id,
        "job_id": "op-1",
        "agent_id": "agent",
        "sandbox_name": id,
        "base_image": "cluster@7",
        "provider": "graph",
        "created_at": STARTED,
        "updated_at": STARTED,
    }
    return Sandbox(**_with(usual, given))


def snapshot(id: str = "snp-1", **given: Any) -> Snapshot:  # noqa: A002, ANN401  # as the records have it
    """Returns a snapshot, named as its id."""
    usual = {"id": id, "sandbox_id": "sbx-1", "name": id, "ref": f"ref-{id}", "created_at": STARTED}
    return Snapshot(**_with(usual, given))


def command(id: str = "cmd-1", **given: Any) -> Command:  # noqa: A002, ANN401  # as the records have it
    """Returns a command that went well."""
    usual = {
        "id": id,
        "sandbox_id": "sbx-1",
        "command": "true",
        "exit_code": 0,
        "started_at": STARTED,
        "ended_at": STARTED,
    }
    return Command(**_with(usual, given))


def diff(id: str = "dif-1", **given: Any) -> Diff:  # noqa: A002, ANN401  # as the records have it
    """Returns a difference of nothing."""
    usual = {
        "id": id,
        "sandbox_id": "sbx-1",
        "from_snapshot": "snp-1",
        "to_snapshot": "snp-2",
        "diff_json": ChangeDiff(),
        "created_at": STARTED,
    }
    return Diff(**_with(usual, given))


def change_set(id: str = "chg-1", **given: Any) -> ChangeSet:  # noqa: A002, ANN401  # as the records have it
    """Returns the change set of a job."""
    usual = {
        "id": id,
        "job_id": "op-1",
        "sandbox_id": "sbx-1",
        "diff_id": "dif-1",
        "path_patch": f"changes/{id}/patch",
        "path_merge_plan": f"changes/{id}/plan",
        "created_at": STARTED,
    }
    return ChangeSet(**_with(usual, given))


def publication(id: str = "pub-1", **given: Any) -> Publication:  # noqa: A002, ANN401  # as the records have it
    """Returns a publication that was just asked for."""
    usual = {
        "id": id,
        "job_id": "op-1",
        "repo_url": "origin",
        "branch": f"sandbox/{id}",
        "created_at": STARTED,
        "updated_at": STARTED,
    }
    return Publication(**_with(usual, given))


def playbook(id: str = "pbk-1", **given: Any) -> Playbook:  # noqa: A002, ANN401  # as the records have it
    """Returns a playbook, named as its id."""
    usual = {"id": id, "name": id, "hosts": "sbx-1", "created_at": STARTED, "updated_at": STARTED}
    return Playbook(**_with(usual, given))


def task(id: str = "tsk-1", **given: Any) -> PlaybookTask:  # noqa: A002, ANN401  # as the records have it
    """Returns a task at the end of a playbook."""
    usual = {
        "id": id,
        "playbook_id": "pbk-1",
        "name": id,
        "module": "mutate",
        "params": {"graph": "social"},
        "created_at": STARTED,
    }
    return PlaybookTask(**_with(usual, given))


def source(id: str = "src-1", **given: Any) -> SourceVM:  # noqa: A002, ANN401  # as the records have it
    """Returns a source that was not prepared."""
    usual = {"id": id, "name": id, "created_at": STARTED, "updated_at": STARTED}
    return SourceVM(**_with(usual, given))


def host(id: str = "hst-1", **given: Any) -> HostResources:  # noqa: A002, ANN401  # as the records have it
    """Returns a host of four processors, heard of at the beginning."""
    usual = {
        "id": id,
        "name": id,
        "address": "127.0.0.1",
        "total_cpus": 4,
        "total_memory_mb": 4096,
        "total_storage_mb": 40960,
        "updated_at": STARTED,
    }
    return HostResources(**_with(usual, given))


def _with(usual: Mapping[str, Any], given: Mapping[str, Any]) -> dict[str, Any]:
    return {**usual, **given}
