"""A reconciler at work: through the door, on a clock that a test turns, over a folder that changes."""

import subprocess
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Literal

import msgspec
import pytest
from anyio import fail_after

from agentctl.domain.ledger.state import Tombstone
from agentctl.domain.policy.caller import Caller
from agentctl.domain.reconcile.telling import Transition
from agentctl.domain.storage.protocol import ObjectStore
from agentctl.engine.apply import apply
from agentctl.engine.cluster import Cluster
from agentctl.engine.leases import CLUSTER
from agentctl.engine.reconciling import Eye
from agentctl.engine.sidecars import read_sidecars
from agentctl.testing.builders import (
    QUERY,
    SCHEMA,
    WIDER_SCHEMA,
    Bench,
    cluster_yaml,
    decide,
    folder_files,
    recorded,
    wanting,
)
from agentctl.testing.consent import key_of
from agentctl.testing.crash import NEVER, Crash, DownStore
from agentctl_tools.door import call
from agentctl_tools.operation import Envelope
from agentctl_tools.reconcile import ReconcileResult

QUIET_S = 6.0
"""Longer than two looks."""
MORE = f"{QUERY}\nquery names() {{ match {{ $p: Package }} return {{ $p.name }} }}\n"
TIGHT = SCHEMA.replace("version: String?", "version: enum(old, new)?")
LOOSE = SCHEMA.replace("version: String?", "version: enum(old, new, odd)?")

Edit = Callable[[], Awaitable[None] | None]


class Watch:
    """One run of a reconciler, in whose sleep the test does what the world would."""

    def __init__(self, bench: Bench, *edits: Edit, quiet_s: float = QUIET_S) -> None:
        self.bench = bench
        self.edits = list(edits)
        self.quiet_s = quiet_s
        self.lines: list[Transition] = []
        self.slept_s = 0.0
        self.stopped = False

    async def run(self, cluster: Cluster, who: Caller, **arguments: object) -> Envelope:
        watched = msgspec.structs.replace(cluster, sleep=self._sleep)
        given = {"intent": "keep it so", "interval_s": 60.0, **arguments}
        with fail_after(20):
            return await call(
                watched,
                who,
                "reconcile",
                given,
                notify=self._notify,
                is_interrupted=lambda: self.stopped,
            )

    @property
    def story(self) -> list[str]:
        """What it did and why it waited, without repetition."""
        told = [line.why or line.phase for line in self.lines]
        return [t for i, t in enumerate(told) if i == 0 or told[i - 1] != t]

    async def _notify(self, line: Transition) -> None:
        self.lines.append(line)

    async def _sleep(self, seconds: float) -> None:
        self.bench.world.advance(seconds)
        self.slept_s += seconds
        if self.slept_s < self.quiet_s:
            return
        self.slept_s = 0.0
        if not self.edits:
            self.stopped = True
            return
        done = self.edits.pop(0)()
        if done is not None:
            await done


async def converged(bench: Bench, *graphs: str) -> Cluster:
    cluster = await bench.begun(folder_files(*(graphs or ("supply",))))
    assert (await apply(cluster, bench.sarah, wanting())).converged
    return cluster


async def test_an_edit_is_applied_by_itself_and_recorded_as_what_it_is(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    watch = Watch(bench, lambda: bench.write({"supply.gq": MORE}))

    ended = await watch.run(cluster, bench.sarah)
    op = (await cluster.journal.list())[0]

    assert ended.ok
    assert watch.story == [
        "planning",
        "converged",
        "planning",
        "applying",
        "looking",
        "planning",
        "converged",
        "stopped",
    ]
    assert "query.supply.names" in (await recorded(cluster)).applied_revision.resources
    assert (op.action, op.intent, op.status) == ("apply", "keep it so", "success")


async def test_what_is_still_being_written_is_not_planned(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    eye = Eye(cluster)
    before = await eye.look()
    bench.write({"supply.gq": QUERY + "# one\n"})
    first = await eye.look()
    bench.write({"supply.gq": QUERY + "# one\n# two\n"})
    second = await eye.look()
    third = await eye.look()

    assert first == before
    assert second == before
    assert third != before


async def test_a_deletion_is_asked_for_once_and_made_after_a_human_has_decided(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench, "supply", "spare")
    seen: list[str] = []

    async def approve() -> None:
        (request,) = (await cluster.approvals.records()).requests
        seen.append((await cluster.graphs.observe("spare")).presence)
        await decide(cluster, request)

    watch = Watch(
        bench,
        lambda: bench.write({"cluster.yaml": cluster_yaml("supply")}),
        lambda: None,
        approve,
        quiet_s=130.0,
    )
    ended = await watch.run(cluster, bench.sarah)
    state = await recorded(cluster)

    assert ended.ok
    assert len((await cluster.approvals.records()).requests) == 1
    assert seen == ["live"]
    assert isinstance(state.observations["graph.spare"], Tombstone)
    assert watch.story.count("asking") == 1
    assert watch.story[-2:] == ["converged", "stopped"]
    (waiting, *_) = [line for line in watch.lines if line.why == "needs_human"]
    assert waiting.told.waiting == ("graph.spare",)


async def test_a_bad_folder_is_waited_out_and_nothing_is_applied_of_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    before = await recorded(cluster)
    watch = Watch(
        bench,
        lambda: bench.write({"supply.pg": "node {", "supply.gq": MORE}),
        lambda: bench.write({"supply.pg": SCHEMA, "supply.gq": QUERY}),
    )

    await watch.run(cluster, bench.sarah)
    (bad,) = [line for line in watch.lines if line.why == "folder_invalid"]

    assert watch.story == [
        "planning",
        "converged",
        "planning",
        "folder_invalid",
        "planning",
        "converged",
        "stopped",
    ]
    assert [d.code for d in bad.told.diagnostics][:1] == ["schema_parse_error"]
    assert await recorded(cluster) == before


async def test_a_held_lease_is_waited_for_ever_more_patiently(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    holding = AsyncExitStack()

    async def hold() -> None:
        lease = cluster.leases.hold(CLUSTER, principal="somebody", operation="apply")
        await holding.enter_async_context(lease)
        bench.write({"supply.gq": MORE})

    watch = Watch(bench, hold, holding.aclose, lambda: None, quiet_s=25.0)
    await watch.run(cluster, bench.sarah)
    waits = [line.retry_in_s or 0.0 for line in watch.lines if line.why == "lease_held"]

    assert len(waits) >= 3
    assert all(low <= wait <= 2 * low for low, wait in zip([1, 2, 4], waits, strict=False))
    assert watch.story[-2:] == ["converged", "stopped"]
    assert "query.supply.names" in (await recorded(cluster)).applied_revision.resources


async def test_an_outage_of_the_storage_is_survived(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await converged(bench)
    outages: list[str] = []

    def flaky(store: ObjectStore) -> ObjectStore:
        return DownStore(store, lambda *_: bool(outages))

    bench.wrap_store = flaky
    cluster = await bench.open()
    watch = Watch(bench, lambda: outages.append("down"), outages.clear, lambda: None, quiet_s=20.0)

    ended = await watch.run(cluster, bench.sarah)

    assert ended.ok
    assert "storage_unavailable" in watch.story
    assert watch.story[-2:] == ["converged", "stopped"]


async def test_a_freeze_is_obeyed_and_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    frozen = await call(cluster, bench.sarah, "freeze", {"intent": "look at it first"})
    assert frozen.ok, frozen.diagnostics
    bench.write({"supply.gq": MORE})

    ended = await Watch(bench).run(cluster, bench.sarah, once=True)

    assert not ended.ok
    assert [d.code for d in ended.diagnostics] == ["frozen"]
    assert "query.supply.names" not in (await recorded(cluster)).applied_revision.resources


async def drifted(bench: Bench, declared: str, live: str) -> Cluster:
    cluster = await bench.begun(folder_files("supply") | {"supply.pg": declared})
    assert (await apply(cluster, bench.sarah, wanting())).converged
    before = dict(bench.objects)
    bench.write({"supply.pg": live})
    assert (await apply(cluster, bench.sarah, wanting())).converged
    bench.objects = before  # The ledger is put back; the graph keeps the other schema.
    bench.write({"supply.pg": declared})
    return await bench.open()


async def test_drift_is_corrected_where_that_needs_no_decision(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await drifted(bench, SCHEMA, WIDER_SCHEMA)
    watch = Watch(bench)

    ended = await watch.run(cluster, bench.sarah, once=True)
    (applying,) = [line for line in watch.lines if line.phase == "applying"]
    live = await cluster.graphs.observe("supply")

    assert ended.ok
    assert applying.told.drifted == ("schema.supply",)
    assert live.ir is not None
    assert "note" not in {p.name for t in live.ir.types for p in t.properties}
    assert watch.story[-1] == "converged"


async def test_drift_that_only_a_narrowing_corrects_is_a_humans_to_decide(tmp_path: Path) -> None:
    """Axiom 8: a reconciler that just fixes drift is never an exception."""
    bench = Bench(tmp_path)
    cluster = await drifted(bench, TIGHT, LOOSE)
    watch = Watch(bench)

    await watch.run(cluster, bench.sarah, once=True)
    requests = (await cluster.approvals.records()).requests
    live = await cluster.graphs.observe("supply")
    desired = (await cluster.folder.load(confined=True)).desired

    assert watch.story[-1] == "needs_human"
    assert [r.statement.resource for r in requests] == ["schema.supply"]
    assert desired is not None
    assert live.source_digest != desired.graphs[0].schema.digest


async def test_a_dry_run_says_what_it_would_do_and_does_nothing(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench, "supply", "spare")
    bench.write({"cluster.yaml": cluster_yaml("supply"), "supply.gq": MORE})
    head = await cluster.ledger.head()

    watch = Watch(bench)
    ended = await watch.run(cluster, bench.sarah, once=True, dry_run=True)

    assert ended.ok
    assert watch.story == ["planning", "would_change"]
    assert await cluster.ledger.head() == head
    assert (await cluster.approvals.records()).requests == ()


async def test_a_run_that_ends_where_it_would_wait_says_why(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    bench.write({"supply.pg": "node {"})

    ended = await Watch(bench).run(cluster, bench.sarah, once=True)

    assert not ended.ok
    assert isinstance(ended.data, ReconcileResult)
    assert ended.data.last.why == "folder_invalid"
    assert "schema_parse_error" in {d.code for d in ended.diagnostics}


async def test_what_a_dead_apply_left_is_settled(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    await bench.begun(folder_files("supply"))
    saved = dict(bench.objects)
    watched, store = await bench.crashing(NEVER)
    assert (await apply(watched, bench.sarah, wanting())).converged
    ledger = (n for n, label in enumerate(store.labels, 1) if "create __cluster/ledger/" in label)
    bench.objects, bench.roots.by_id = saved, {}
    dying, _ = await bench.crashing(next(ledger))
    with pytest.raises(Crash):
        await apply(dying, bench.sarah, wanting())
    cluster = await bench.open()

    ended = await Watch(bench).run(cluster, bench.sarah, once=True)

    assert ended.ok, ended.diagnostics
    assert (await read_sidecars(cluster.store)).sidecars == ()
    assert len((await recorded(cluster)).recovery_records) == 1


async def test_a_sidecar_that_nobody_can_settle_is_tried_and_told(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    key = "__cluster/recoveries/01M7Y2EPRTEWD0F5S2VCD3P6X8.json"
    bench.objects[key] = b'{"schema_version": 3, "graph_id": "supply"}'
    bench.write({"supply.pg": WIDER_SCHEMA})
    watch = Watch(bench, quiet_s=100.0)

    once = await Watch(bench).run(cluster, bench.sarah, once=True)
    await watch.run(cluster, bench.sarah)

    told = {d.code for line in watch.lines for d in line.told.diagnostics}
    assert not once.ok
    assert "reconcile_no_progress" in [d.code for d in once.diagnostics]
    assert watch.story[-2] == "no_progress"
    assert "unsupported_recovery_sidecar_version" in told
    assert 1 < watch.story.count("applying") < 9
    assert (await cluster.graphs.observe("supply")).commit == 1
    assert key in bench.objects


async def test_data_whose_time_is_over_is_purged_by_the_timer(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench, "supply", "spare")
    bench.write({"cluster.yaml": cluster_yaml("supply")})
    await Watch(bench).run(cluster, bench.sarah, once=True)
    (request,) = (await cluster.approvals.records()).requests
    await decide(cluster, request)
    await Watch(bench).run(cluster, bench.sarah, once=True)

    await Watch(bench, lambda: bench.world.advance(8 * 24 * 3600), lambda: None).run(
        cluster, bench.sarah
    )

    assert (await cluster.graphs.observe("spare")).presence == "purged"


async def test_each_thing_it_does_is_decided_and_audited_like_any_other(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench, "supply", "spare")
    bench.write({"cluster.yaml": cluster_yaml("supply"), "supply.gq": MORE})
    before = (await cluster.audit.head()).length

    await Watch(bench).run(cluster, bench.sarah, once=True)
    records = [
        msgspec.json.decode(data)["action"] for _, data in (await cluster.audit.records())[before:]
    ]

    assert [a for a in records if a in {"cluster_apply", "approval_request"}] == [
        "cluster_apply",
        "cluster_apply",
        "approval_request",
    ]


async def test_it_acts_no_more_for_somebody_who_was_revoked(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    await cluster.principals.add(
        principal_id="ann",
        kind="human",
        key=key_of("ann").key,
        assurance="file",
        by="sarah",
        signer=key_of("sarah"),
    )

    async def revoke() -> None:
        await cluster.principals.revoke(
            principal_id="sarah", reason="left", by="ann", signer=key_of("ann")
        )
        bench.write({"supply.gq": MORE})

    watch = Watch(bench, revoke)
    await watch.run(cluster, bench.sarah)

    assert set(watch.story) == {"planning", "converged", "denied", "stopped"}
    assert "query.supply.names" not in (await recorded(cluster)).applied_revision.resources


@pytest.mark.parametrize("via", ["mcp", "http"])
async def test_over_a_wire_it_is_made_once_and_starts_no_loop(
    tmp_path: Path, via: Literal["mcp", "http"]
) -> None:
    """Source: the toolset `operator`, which has no argument `once`; ADR 19."""
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    watch = Watch(bench)

    ended = await watch.run(
        cluster, msgspec.structs.replace(bench.agent, via=via), once=False, interval_s=1.0
    )

    assert ended.ok, ended
    assert (watch.story[-1], watch.slept_s) == ("converged", 0.0)


def git(bench: Bench, *words: str) -> str:
    who = ("-c", "user.name=sarah", "-c", "user.email=sarah@example.com")
    done = subprocess.run(
        ["git", *who, *words], cwd=bench.path, check=True, capture_output=True, text=True
    )
    return done.stdout.strip()


async def test_a_git_ref_is_applied_as_it_is_committed_whatever_the_worktree_holds(
    tmp_path: Path,
) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    git(bench, "init", "-q", "-b", "main")
    git(bench, "add", "cluster.yaml", "supply.pg", "supply.gq")
    git(bench, "commit", "-q", "-m", "as it is")

    def commit() -> None:
        bench.write({"supply.gq": MORE})
        git(bench, "commit", "-q", "-a", "-m", "names")
        bench.write({"supply.gq": "this is no query", "supply.pg": "node {"})

    watch = Watch(bench, commit, quiet_s=10.0)
    ended = await watch.run(cluster, bench.sarah, ref="refs/heads/main")
    head = await cluster.ledger.head()

    assert ended.ok, ended.diagnostics
    assert watch.story[-2:] == ["converged", "stopped"]
    assert head is not None
    assert head.envelope.source is not None
    assert head.envelope.source.commit == git(bench, "rev-parse", "main")
    assert "query.supply.names" in head.envelope.state.applied_revision.resources
    assert (bench.path / "supply.pg").read_text() == "node {"


async def test_a_ref_that_names_no_commit_is_waited_for(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    git(bench, "init", "-q", "-b", "main")

    def commit() -> None:
        git(bench, "add", "cluster.yaml", "supply.pg", "supply.gq")
        git(bench, "commit", "-q", "-m", "as it is")

    watch = Watch(bench, commit)
    await watch.run(cluster, bench.sarah, ref="main")

    assert watch.story == [
        "planning",
        "folder_invalid",
        "planning",
        "converged",
        "stopped",
    ]
    assert [d.code for d in watch.lines[1].told.diagnostics] == ["git_commit_unreadable"]


async def test_a_commit_gives_only_files_that_are_in_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path)
    cluster = await converged(bench)
    secret = tmp_path / "elsewhere.pg"
    secret.write_text(SCHEMA, encoding="utf-8")
    bench.write({"supply.pg": None})
    (bench.path / "supply.pg").symlink_to(secret)
    git(bench, "init", "-q", "-b", "main")
    git(bench, "add", "cluster.yaml", "supply.pg", "supply.gq")
    git(bench, "commit", "-q", "-m", "a link out of the folder")

    ended = await Watch(bench).run(cluster, bench.sarah, once=True, ref="main")

    assert not ended.ok
    assert "schema_file_missing" in {d.code for d in ended.diagnostics}
