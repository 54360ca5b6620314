"""Sandboxes of commands from start to end through the door, over folders and over machines."""

from contextlib import suppress
from pathlib import Path
from typing import Any

import anyio
import anyio.lowlevel
import msgspec
import pytest

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.sandbox.provider import ProviderError
from agentctl.testing.builders import QUERY
from agentctl.testing.consent import caller
from tests.sandboxes.commands.command_desk import CommandDesk, beside, command_desk

QUERIES = QUERY + "// mine\n"
KEY = "-----BEGIN PRIVATE KEY-----\nMIIBVgIBADANBgkqhkiG9w0BAQEFAASCAUAwggE8\n-----END PRIVATE KEY-----"


async def test_a_command_that_fails_is_answered_with_its_exit_code_and_kept_with_its_output(
    desk: CommandDesk,
) -> None:
    sandbox = await desk.start()

    ran = await desk.sh(sandbox, "echo said; echo told >&2; exit 3")

    assert (ran.ending, ran.exit_code, ran.stdout, ran.stderr) == ("exited", 3, "said\n", "told\n")
    kept = (await desk.must("sandbox_commands", in_=sandbox)).commands[-1]
    assert (kept.tool, kept.exit_code, kept.stdout, kept.stderr) == (
        "sandbox_run",
        3,
        "said\n",
        "told\n",
    )


async def test_a_command_over_its_time_is_killed_and_kept_as_timed_out(desk: CommandDesk) -> None:
    sandbox = await desk.start()

    seconds = "600.7531"  # which no other process of this machine sleeps

    ran = await desk.sh(sandbox, f"echo begun; sleep {seconds} & wait", timeout_s=2)

    assert (ran.ending, ran.exit_code, ran.stdout) == ("timed_out", 124, "begun\n")
    kept = (await desk.must("sandbox_commands", in_=sandbox)).commands[-1]
    assert (kept.ending, kept.exit_code) == ("timed_out", 124)
    inside = await desk.sh(sandbox, "grep -l '600[.]7531' /proc/[0-9]*/cmdline")
    assert inside.stdout == ""
    assert not any(seconds in line for line in _command_lines())


def _command_lines() -> list[str]:
    found = []
    for one in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            found.append(one.read_text(errors="replace"))
    return found


async def test_a_secret_is_a_token_wherever_it_is_seen_and_comes_back_for_the_program_alone(
    desk: CommandDesk,
) -> None:
    sandbox = await desk.start()
    await desk.sh(sandbox, f"printf '%s\\n' '{KEY}' > key.pem")

    shown = await desk.sh(sandbox, "cat key.pem")
    again = await desk.sh(sandbox, "cat key.pem >&2")

    token = shown.stdout.strip()
    assert token.startswith("[REDACTED_")
    assert again.stderr.strip() == token
    ran = await desk.must(
        "sandbox_run", in_=sandbox, command=["sh", "-c", 'printf "%s" "$0" | wc -c', token]
    )
    assert int(ran.stdout) == len(KEY)
    everything = msgspec.json.encode(await desk.must("sandbox_commands", in_=sandbox)).decode()
    assert "MIIBVgIBADANBgkqhkiG9w0" not in everything
    assert token in everything


async def test_a_snapshot_name_is_used_once_in_a_sandbox_and_freely_in_another(
    desk: CommandDesk,
) -> None:
    one, other = await desk.start(), await desk.start()
    await desk.must("sandbox_snapshot", in_=one, name="before")

    assert await desk.codes("sandbox_snapshot", in_=one, name="before") == ["sandbox_record_exists"]
    await desk.must("sandbox_snapshot", in_=other, name="before")
    assert await desk.codes("sandbox_snapshot", in_=one, name="base") == ["sandbox_snapshot_name"]


async def test_a_difference_has_each_change_in_its_list_and_is_the_same_the_second_time(
    desk: CommandDesk,
) -> None:
    sandbox = await desk.start()
    await desk.must("sandbox_snapshot", in_=sandbox, name="a")
    await desk.sh(sandbox, "echo new > added.conf; echo red > settings.conf; rm old.conf")
    await desk.must("sandbox_snapshot", in_=sandbox, name="b")

    found = (await desk.must("sandbox_diff", in_=sandbox, before="a", after="b")).changes
    second = (await desk.must("sandbox_diff", in_=sandbox, before="a", after="b")).changes
    same = (await desk.must("sandbox_diff", in_=sandbox, before="a", after="a")).changes

    assert [f.rpartition("/")[2] for f in found.files_added] == ["added.conf"]
    assert [f.rpartition("/")[2] for f in found.files_modified] == ["settings.conf"]
    assert [f.rpartition("/")[2] for f in found.files_removed] == ["old.conf"]
    assert any("added.conf" in c.cmd for c in found.commands_run)
    assert second == found
    assert same == type(found)()
    assert await desk.codes("sandbox_diff", in_=sandbox, before="a", after="none") == [
        "sandbox_snapshot_missing"
    ]


async def test_a_sandbox_goes_back_to_a_snapshot_and_to_what_it_was_made_as(
    desk: CommandDesk,
) -> None:
    sandbox = await desk.start()
    await desk.sh(sandbox, "echo first > it")
    await desk.must("sandbox_snapshot", in_=sandbox, name="first")
    await desk.sh(sandbox, "echo second > it")

    await desk.must("sandbox_restore", in_=sandbox, name="first")
    assert (await desk.sh(sandbox, "cat it")).stdout == "first\n"
    await desk.must("sandbox_restore", in_=sandbox, name="base")
    assert (await desk.sh(sandbox, "cat it")).exit_code != 0


async def test_a_sandbox_that_is_stopped_runs_nothing_and_keeps_what_is_in_it(
    desk: CommandDesk,
) -> None:
    sandbox = await desk.start()
    await desk.sh(sandbox, "echo kept > it; sync")

    stopped = await desk.must("sandbox_stop", in_=sandbox)
    assert stopped.state == "STOPPED"
    refused = await desk.codes("sandbox_run", in_=sandbox, command=["true"])
    assert refused == ["sandbox_not_started"]
    assert (await desk.must("sandbox_start", in_=sandbox)).state == "RUNNING"
    assert (await desk.sh(sandbox, "cat it")).stdout == "kept\n"


async def test_a_sandbox_is_listed_shown_and_closed_and_nothing_is_left(desk: CommandDesk) -> None:
    sandbox = await desk.start(name="mine", purpose="to see")

    listed = (await desk.must("sandbox_list")).sandboxes
    assert [(s.name, s.provider, s.standing, s.base, s.intent) for s in listed] == [
        ("mine", desk.kind, "open", desk.source, "to see")
    ]
    shown = await desk.must("sandbox_show", in_=sandbox)
    assert shown.snapshots == ("base",)
    assert shown.bytes > 0
    await desk.must("sandbox_close", in_=sandbox)

    assert await desk.held() == {}
    assert (await desk.must("sandbox_list")).sandboxes == ()
    assert await desk.codes("sandbox_run", in_=sandbox, command=["true"]) == ["sandbox_not_found"]
    host = (await desk.store.list_hosts())[0]
    assert (host.reserved_cpus, host.reserved_memory_mb, host.reserved_storage_mb) == (0, 0, 0)


async def test_time_counts_from_creation_and_each_sandbox_has_its_own(desk: CommandDesk) -> None:
    short, long = await desk.start(ttl_s=60), await desk.start(ttl_s=7200)
    desk.bench.world.advance(61)

    swept = await desk.must("sandbox_sweep", by=desk.bench.sarah)

    assert [(f"sandbox:{e.sandbox}", e.reason) for e in swept.ended] == [(short, "expired")]
    assert [f"sandbox:{one}" for one in await desk.held()] == [long]


async def test_a_sandbox_in_error_goes_when_its_time_is_over_too(desk: CommandDesk) -> None:
    sandbox = await desk.start(ttl_s=60)
    await desk.store.update_sandbox_state(sandbox.removeprefix("sandbox:"), "ERROR")

    early = await desk.must("sandbox_sweep", by=desk.bench.sarah)
    desk.bench.world.advance(61)
    late = await desk.must("sandbox_sweep", by=desk.bench.sarah)

    assert (len(early.ended), len(late.ended)) == (0, 1)
    assert await desk.held() == {}


async def test_what_a_dead_process_left_and_no_record_knows_goes_with_the_sweep(
    desk: CommandDesk,
) -> None:
    from agentctl.domain.sandbox.provider import Creation
    from agentctl.engine.world import mint_ulid

    left = mint_ulid(desk.bench.world)
    provider = desk.host.provider(desk.kind)
    await provider.create(Creation(id=left, name="left", source=desk.source))
    await provider.start(left)
    desk.bench.world.advance(960)

    swept = await desk.must("sandbox_sweep", by=desk.bench.sarah)

    assert [(e.sandbox, e.reason) for e in swept.ended] == [(left, "failed")]
    assert await desk.held() == {}


async def test_nobody_elses_sandbox_is_there_for_an_agent(desk: CommandDesk) -> None:
    sandbox = await desk.start()
    other = caller("agent:other", "agent", "http", on_behalf_of="other")

    assert await desk.codes("sandbox_run", by=other, in_=sandbox, command=["true"]) == [
        "sandbox_not_found"
    ]
    assert (await desk.must("sandbox_list", by=other)).sandboxes == ()
    assert (await desk.must("sandbox_show", by=desk.bench.sarah, in_=sandbox)).snapshots


async def test_a_token_stands_for_nothing_in_another_sandbox_or_after_a_restart(
    files: CommandDesk,
) -> None:
    one, other = await files.start(), await files.start()
    await files.sh(one, f"printf '%s\\n' '{KEY}' > key.pem")
    token = (await files.sh(one, "cat key.pem")).stdout.strip()
    asked: dict[str, Any] = {"command": ["echo", token]}

    assert await files.codes("sandbox_run", in_=other, **asked) == ["sandbox_token_unknown"]
    after = beside(files)
    assert await after.codes("sandbox_run", in_=one, **asked) == ["sandbox_token_unknown"]
    assert (await files.must("sandbox_run", in_=one, **asked)).stdout.strip() == token


async def test_a_destroy_that_fails_is_tried_again_and_keeps_no_other_from_going(
    files: CommandDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    stuck, other = await files.start(ttl_s=60), await files.start(ttl_s=60)
    provider = files.host.provider("process")
    destroy = provider.destroy

    async def failing(sandbox_id: str) -> None:
        if f"sandbox:{sandbox_id}" == stuck:
            raise ProviderError(error("sandbox_storage_failed", "sandbox", "the disk is away"))
        await destroy(sandbox_id)

    monkeypatch.setattr(provider, "destroy", failing)
    files.bench.world.advance(61)
    first = await files.ask("sandbox_sweep", by=files.bench.sarah)
    monkeypatch.undo()
    second = await files.must("sandbox_sweep", by=files.bench.sarah)

    found: Any = first.data
    assert [f"sandbox:{e.sandbox}" for e in found.ended] == [other]
    assert [d.code for d in first.diagnostics] == ["sandbox_not_ended"]
    assert [f"sandbox:{e.sandbox}" for e in second.ended] == [stuck]
    assert await files.held() == {}


async def test_a_close_that_fails_is_finished_by_the_sweep(
    files: CommandDesk, monkeypatch: pytest.MonkeyPatch
) -> None:
    sandbox = await files.start()
    provider = files.host.provider("process")

    async def failing(_: str) -> None:
        raise ProviderError(error("sandbox_storage_failed", "sandbox", "the disk is away"))

    monkeypatch.setattr(provider, "destroy", failing)
    assert await files.codes("sandbox_close", in_=sandbox) == ["sandbox_storage_failed"]
    monkeypatch.undo()
    files.bench.world.advance(2)
    swept = await files.must("sandbox_sweep", by=files.bench.sarah)

    assert [f"sandbox:{e.sandbox}" for e in swept.ended] == [sandbox]
    assert await files.held() == {}


@pytest.mark.parametrize("ending", ["sandbox_stop", "sandbox_close"])
async def test_a_command_ends_where_another_process_stops_its_sandbox(
    files: CommandDesk, ending: str
) -> None:
    sandbox = await files.start()
    other = beside(files)
    asked: dict[str, Any] = {"command": ["sh", "-c", "touch begun; sleep 600.8642"]}
    ended: list[Any] = []
    begun = files.host.root / "process" / sandbox.removeprefix("sandbox:") / "trees/1/begun"

    async def run() -> None:
        ended.append(await files.must("sandbox_run", in_=sandbox, timeout_s=600, **asked))

    with anyio.fail_after(20):
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(run)
            while not begun.exists():
                await anyio.lowlevel.checkpoint()
            await other.must(ending, in_=sandbox)

    assert [(one.ending, one.exit_code) for one in ended] == [("killed", 137)]
    assert not any("600.8642" in line for line in _command_lines())


async def test_a_sandbox_that_failed_is_started_again(files: CommandDesk) -> None:
    sandbox = await files.start()
    await files.store.update_sandbox_state(sandbox.removeprefix("sandbox:"), "ERROR")

    assert (await files.must("sandbox_start", in_=sandbox)).state == "RUNNING"
    assert (await files.sh(sandbox, "echo alive")).stdout == "alive\n"


async def test_a_sandbox_of_the_configuration_of_a_copy_of_the_cluster_has_its_edits(
    tmp_path: Path,
) -> None:
    async with command_desk(tmp_path, where="lance") as desk:
        copy = (await desk.must("sandbox_open", name="copy")).sandbox
        await desk.must("draft_edit", in_=copy, path="supply.gq", content=QUERIES)
        started = await desk.must("sandbox_start", source=copy)

        assert (await desk.sh(started.sandbox, "cat supply.gq")).stdout == QUERIES
        other = caller("agent:other", "agent", "http", on_behalf_of="other")
        assert await desk.codes("sandbox_start", by=other, source=copy) == ["sandbox_not_found"]
        assert await desk.codes("sandbox_run", in_=copy, command=["ls"]) == ["not_in_a_sandbox"]


async def test_what_only_a_copy_of_the_cluster_can_do_is_told_of_a_sandbox_of_commands(
    desk: CommandDesk,
) -> None:
    sandbox = await desk.start()
    only_copies: dict[str, dict[str, Any]] = {
        "validate": {},
        "plan": {},
        "apply": {"intent": "try"},
        "query": {"graph": "supply", "query": QUERIES},
        "sandbox_write": {"graph": "supply", "rows": "{}"},
        "draft_edit": {"path": "supply.gq", "content": QUERIES},
        "sandbox_changeset": {},
        "publish": {"to": "folder", "intent": "home"},
        "playbook_from_sandbox": {"name": "again", "target": "cluster"},
    }
    other = caller("agent:other", "agent", "http", on_behalf_of="other")
    for operation, given in only_copies.items():
        envelope = await desk.ask(operation, in_=sandbox, **given)
        (told,) = envelope.diagnostics
        assert told.code == "not_in_a_sandbox", operation
        assert f"commands in ({desk.kind})" in told.message
        assert "agentctl sandbox run" in (told.remedy or "")
        refused = await desk.codes(operation, by=other, in_=sandbox, **given)
        assert refused == ["sandbox_not_found"], operation
    assert [c.tool for c in (await desk.must("sandbox_commands", in_=sandbox)).commands] == [
        "sandbox_start"
    ]
