"""The records of snapshots, commands, differences, change sets, publications and sources."""

import msgspec
import pytest

from agentctl.domain.sandbox.difference import (
    ChangeDiff,
    CommandSummary,
    PackageInfo,
    RowChange,
    RowChanges,
    ServiceChange,
)
from agentctl.domain.sandbox.listing import ListOptions
from agentctl.domain.sandbox.records import CLEAR, CommandExecRecord, PublicationStatus
from agentctl.engine.sandboxes.errors import (
    AlreadyExistsError,
    ConflictError,
    InvalidError,
    NotFoundError,
)
from agentctl.engine.sandboxes.store import Store
from agentctl.testing import sandbox_records as make
from agentctl.testing.sandbox_records import SteppingClock

DIFFERENCE = ChangeDiff(
    files_added=("a.gq", "é.gq"),
    packages_added=(PackageInfo(name="social.Person", version="node Person { name: String }"),),
    services_changed=(ServiceChange(name="query.social.people", enabled=False, state="removed"),),
    rows=(
        RowChanges(
            graph="social",
            type_name="Person",
            added=1,
            changed=0,
            removed=0,
            sample=(RowChange(key="1", after={"name": "Ann", "age": 3.5, "tags": ["x"]}),),
        ),
    ),
    commands_run=(CommandSummary(cmd="load", exit_code=0, at=make.STARTED),),
)


async def two_snapshots(store: Store) -> None:
    await store.create_sandbox(make.sandbox())
    await store.create_snapshot(make.snapshot("snp-1"))
    await store.create_snapshot(make.snapshot("snp-2"))


async def test_a_snapshots_name_used_twice_is_refused_within_its_sandbox_alone(
    store: Store,
) -> None:
    """Acceptance case 10: reused in the same sandbox, AlreadyExists; in another one it is free."""
    await store.create_sandbox(make.sandbox("a"))
    await store.create_sandbox(make.sandbox("b"))
    first = make.snapshot("1", sandbox_id="a", name="clean", meta_json='{"rows": 3}')
    await store.create_snapshot(first)

    with pytest.raises(AlreadyExistsError) as refused:
        await store.create_snapshot(make.snapshot("2", sandbox_id="a", name="clean"))
    assert refused.value.diagnostic.message == (
        "there is a snapshot with sandbox_id a, name clean already"
    )
    await store.create_snapshot(make.snapshot("3", sandbox_id="b", name="clean"))

    assert await store.list_snapshots("a") == (first,)
    assert await store.get_snapshot("1") == first
    assert (await store.get_snapshot_by_name("b", "clean")).id == "3"


async def test_history_belongs_to_a_sandbox_that_was_there(store: Store) -> None:
    for keep in (
        store.create_snapshot(make.snapshot()),
        store.save_command(make.command()),
        store.save_diff(make.diff()),
        store.create_change_set(make.change_set()),
    ):
        with pytest.raises(NotFoundError):
            await keep


async def test_a_command_that_failed_is_kept_with_all_it_said(store: Store) -> None:
    """Acceptance case 7, its record."""
    await store.create_sandbox(make.sandbox())
    record = make.command(
        tool="load",
        arguments_json='{"graph": "social"}',
        env_json='{"LANG": "C"}',
        stdout="one\ntwo\n",
        stderr="no: ✗\r\x1b[31m",
        exit_code=137,
        ending="timed_out",
        result_digest="sha256:00",
        rows_touched=7,
        ended_at=make.instant(1.25),
        metadata=CommandExecRecord(
            user="agent", work_dir="/w", timeout_s=1.25, redacted=("[REDACTED_TOKEN_1]",)
        ),
    )
    await store.save_command(record)

    assert await store.get_command(record.id) == record
    assert await store.list_commands("sbx-1") == (record,)
    with pytest.raises(AlreadyExistsError):
        await store.save_command(record)


async def test_a_command_that_ends_after_its_sandbox_is_kept(store: Store) -> None:
    await store.create_sandbox(make.sandbox())
    await store.delete_sandbox("sbx-1")

    await store.save_command(make.command())
    assert len(await store.list_commands("sbx-1")) == 1


async def test_commands_are_counted_by_their_sandbox_and_by_how_they_ended(store: Store) -> None:
    for sandbox in ("a", "b", "empty"):
        await store.create_sandbox(make.sandbox(sandbox))
    for n, code in enumerate((0, 1, 137, 0)):
        await store.save_command(make.command(f"a{n}", sandbox_id="a", exit_code=code))
    await store.save_command(make.command("b1", sandbox_id="b", exit_code=1))
    await store.delete_sandbox("a")

    async with store.with_tx() as tx:
        assert await tx.count_commands("a") == 4
    assert [await store.count_commands(s) for s in ("a", "b", "empty", "never")] == [4, 1, 0, 0]
    assert [await store.count_commands(s, failed=True) for s in ("a", "b", "empty")] == [2, 1, 0]


async def test_secrets_have_no_place_among_the_placeholders(store: Store) -> None:
    """Acceptance case 9, the record of how a command was run."""
    await store.create_sandbox(make.sandbox())
    record = make.command(metadata=CommandExecRecord(redacted=("hunter2-secret",)))

    with pytest.raises(InvalidError) as refused:
        await store.save_command(record)
    assert "hunter2" not in str(refused.value.diagnostic)
    assert await store.list_commands("sbx-1") == ()


async def test_the_last_commands_come_first_and_may_be_ordered_otherwise(store: Store) -> None:
    await store.create_sandbox(make.sandbox())
    for number, code in enumerate((2, 0, 1)):
        await store.save_command(
            make.command(f"c{number}", exit_code=code, started_at=make.instant(number))
        )
    by_code = ListOptions(order_by="exit_code", asc=True)

    assert [c.id for c in await store.list_commands("sbx-1")] == ["c2", "c1", "c0"]
    assert [c.id for c in await store.list_commands("sbx-1", by_code)] == ["c1", "c2", "c0"]


async def test_a_difference_is_kept_once_for_each_pair(store: Store) -> None:
    """Acceptance case 11, the stored row: a second one of the same pair is refused, and read back."""
    await two_snapshots(store)
    first = make.diff("1", diff_json=DIFFERENCE)
    await store.save_diff(first)

    with pytest.raises(AlreadyExistsError):
        await store.save_diff(make.diff("2"))
    back = make.diff("3", from_snapshot="snp-2", to_snapshot="snp-1")
    await store.save_diff(back)
    await store.save_diff(make.diff("4", to_snapshot="snp-1"))

    assert await store.get_diff("1") == first
    assert await store.get_diff_by_snapshots("sbx-1", "snp-1", "snp-2") == first
    assert await store.get_diff_by_snapshots("sbx-1", "snp-2", "snp-1") == back
    assert [d.id for d in await store.list_diffs("sbx-1")] == ["4", "3", "1"]


async def test_a_difference_of_an_unknown_snapshot_is_not_found(store: Store) -> None:
    """Acceptance case 12, the store's part; another sandbox's snapshot is as unknown."""
    await two_snapshots(store)
    await store.create_sandbox(make.sandbox("other"))
    await store.create_snapshot(make.snapshot("theirs", sandbox_id="other"))

    for before, after in (("snp-1", "none"), ("none", "snp-1"), ("snp-1", "theirs")):
        with pytest.raises(NotFoundError, match="there is no snapshot"):
            await store.save_diff(make.diff(from_snapshot=before, to_snapshot=after))
        with pytest.raises(NotFoundError, match="there is no snapshot"):
            await store.get_diff_by_snapshots("sbx-1", before, after)
    with pytest.raises(NotFoundError, match="there is no diff of snp-1 and snp-2"):
        await store.get_diff_by_snapshots("sbx-1", "snp-1", "snp-2")


async def test_a_second_change_set_for_a_job_is_refused(store: Store) -> None:
    """Acceptance case 13."""
    await two_snapshots(store)
    await store.save_diff(make.diff())
    first = make.change_set()
    await store.create_change_set(first)

    with pytest.raises(AlreadyExistsError) as refused:
        await store.create_change_set(make.change_set("chg-2"))
    assert refused.value.diagnostic.message == "there is a change set with job_id op-1 already"
    await store.create_change_set(make.change_set("chg-3", job_id="op-2"))

    assert await store.get_change_set_by_job("op-1") == first
    assert await store.get_change_set("chg-1") == first
    assert {c.id for c in await store.list_change_sets()} == {"chg-1", "chg-3"}
    assert await store.list_change_sets("elsewhere") == ()
    with pytest.raises(NotFoundError):
        await store.get_change_set_by_job("op-3")


async def test_a_change_set_is_of_its_own_sandboxs_difference(store: Store) -> None:
    await two_snapshots(store)
    await store.save_diff(make.diff())
    await store.create_sandbox(make.sandbox("other"))

    with pytest.raises(InvalidError, match="diff dif-1 is of sandbox sbx-1"):
        await store.create_change_set(make.change_set(sandbox_id="other"))


async def test_a_publication_goes_from_stage_to_stage(store: Store, clock: SteppingClock) -> None:
    """Acceptance case 15, the statuses: PENDING, COMMITTED(sha), PR_CREATED(url), MERGED."""
    await store.create_publication(make.publication())
    clock.advance(1)
    await store.update_publication_status("pub-1", "COMMITTED", commit_sha="c0ffee")
    await store.update_publication_status("pub-1", "PR_CREATED", pr_url="https://forge/1")
    merged = await store.update_publication_status("pub-1", "MERGED")

    assert merged == make.publication(
        status="MERGED",
        commit_sha="c0ffee",
        pr_url="https://forge/1",
        updated_at=make.instant(1),
    )
    assert await store.get_publication("pub-1") == merged


async def test_a_push_that_was_refused_keeps_the_commit_and_goes_on_from_it(store: Store) -> None:
    """Acceptance case 15: push refused, FAILED with its message, the sha kept; a retry goes on."""
    await store.create_publication(make.publication())
    await store.update_publication_status("pub-1", "COMMITTED", commit_sha="c0ffee")
    failed = await store.update_publication_status("pub-1", "FAILED", error_msg="refused")

    assert (failed.commit_sha, failed.error_msg) == ("c0ffee", "refused")
    retried = await store.update_publication_status("pub-1", "COMMITTED", error_msg=CLEAR)
    assert (retried.commit_sha, retried.error_msg) == ("c0ffee", None)
    with pytest.raises(ConflictError):
        await store.update_publication_status("pub-1", "PENDING")


async def test_fields_that_an_update_leaves_out_stay(store: Store) -> None:
    """Acceptance case 16."""
    await store.create_publication(make.publication())
    await store.update_publication_status("pub-1", "COMMITTED", commit_sha="c0ffee")
    await store.update_publication_status("pub-1", "PR_CREATED", pr_url="https://forge/1")
    kept = await store.update_publication_status("pub-1", "FAILED", error_msg="gone")

    assert (kept.commit_sha, kept.pr_url) == ("c0ffee", "https://forge/1")
    cleared = await store.update_publication_status(
        "pub-1", "FAILED", pr_url=CLEAR, error_msg=CLEAR
    )
    assert (cleared.commit_sha, cleared.pr_url, cleared.error_msg) == ("c0ffee", None, None)


@pytest.mark.parametrize("to", ["PENDING", "COMMITTED", "PR_CREATED", "FAILED"])
async def test_a_merged_publication_stays_merged(store: Store, to: PublicationStatus) -> None:
    """Acceptance case 17: an illegal MERGED to PENDING is refused."""
    merged = make.publication(status="MERGED", commit_sha="c", pr_url="u")
    await store.create_publication(merged)

    with pytest.raises(ConflictError, match=f"does not go from MERGED to {to}"):
        await store.update_publication_status("pub-1", to)
    assert await store.get_publication("pub-1") == merged


async def test_a_status_that_promises_what_is_not_there_is_refused(store: Store) -> None:
    await store.create_publication(make.publication())

    with pytest.raises(InvalidError, match="COMMITTED has a commit_sha"):
        await store.update_publication_status("pub-1", "COMMITTED")
    with pytest.raises(InvalidError):
        await store.create_publication(make.publication("pub-2", status="COMMITTED"))
    with pytest.raises(ConflictError, match="is PENDING, not FAILED"):
        await store.update_publication_status("pub-1", "FAILED", expected="FAILED")
    assert await store.list_publications() == (make.publication(),)


async def test_a_job_may_publish_many_times(store: Store) -> None:
    for name, job in (("a", "1"), ("b", "1"), ("c", "2")):
        await store.create_publication(make.publication(name, job_id=job))

    assert [p.id for p in await store.list_publications("1")] == ["b", "a"]
    assert [p.id for p in await store.list_publications()] == ["c", "b", "a"]


async def test_a_source_is_kept_under_its_name_and_keeps_its_id(store: Store) -> None:
    await store.upsert_source_vm(make.source("1", name="debian"))
    prepared = make.source(
        "2",
        name="debian",
        prepared=True,
        prepared_at=make.instant(1),
        prepare_json="{}",
        ca_fingerprint="SHA256:x",
        created_at=make.instant(1),
        updated_at=make.instant(1),
    )
    await store.upsert_source_vm(prepared)

    kept = msgspec.structs.replace(prepared, id="1", created_at=make.STARTED)
    assert await store.get_source_vm("debian") == kept
    with pytest.raises(AlreadyExistsError):
        await store.upsert_source_vm(make.source("1", name="alpine"))
    await store.upsert_source_vm(make.source("3", name="alpine"))
    assert [s.name for s in await store.list_source_vms()] == ["alpine", "debian"]
    with pytest.raises(NotFoundError):
        await store.get_source_vm("arch")


async def test_what_is_not_there_is_not_found(store: Store) -> None:
    finders = (
        store.get_snapshot,
        store.get_command,
        store.get_diff,
        store.get_change_set,
        store.get_publication,
        store.get_playbook,
        store.get_playbook_by_name,
        store.get_playbook_task,
        store.get_host,
    )
    for find in finders:
        with pytest.raises(NotFoundError):
            await find("nothing")
    with pytest.raises(NotFoundError):
        await store.update_publication_status("nothing", "FAILED")
