"""A sandbox is published through the door, whatever breaks on the way. Source: sandboxes 4 and 5.15."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentctl.adapters.sources.directory import Folder
from agentctl.domain.sandbox.records import Publication
from agentctl.engine.history import History
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.engine.sandboxes.store import Store
from agentctl.testing.builders import QUERY, WIDER_SCHEMA
from agentctl.testing.consent import caller
from agentctl.testing.forges import TOKEN, TOKEN_NAME, Fault
from agentctl_tools import insides
from tests.sandboxes.publish.publish_rig import NEWER, Publisher, publisher, run_git


class StoppedError(Exception):
    """The process dies here."""


def changes(plan: Any) -> list[tuple[str, str, str | None]]:
    """What a plan would do, by address."""
    return [(c.resource, c.operation, c.after_digest) for c in plan.result.changes]


def said_by(at: Publisher, sha: str) -> str:
    return run_git(at.bench.path, "log", "-1", "--format=%B", sha)


def hook(repository: Path, script: str) -> Path:
    place = repository / "hooks" / "pre-receive"
    place.parent.mkdir(exist_ok=True)
    place.write_text(f"#!/bin/sh\n{script}\n")
    place.chmod(0o755)
    return place


async def test_a_branch_with_one_commit_says_what_was_tried_and_becomes_the_same_plan(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()
        inside = changes(await at.must("plan", in_=box))
        before = (await at.must("sandbox_open", name="before")).sandbox
        for path, text in (("supply.pg", WIDER_SCHEMA), ("supply.gq", QUERY + NEWER)):
            await at.must("draft_edit", in_=before, path=path, content=text)
        tried = changes(await at.must("plan", in_=before))

        answer = await at.hand_in(box, idempotency_key="k")

        assert answer.ok, answer.diagnostics
        publication = answer.data.publication
        assert (publication.status, publication.branch) == ("COMMITTED", "agentctl/try-1")
        assert (answer.data.op.action, answer.data.op.operation) == ("publish", "update")
        assert answer.data.op.status == "success"
        said = said_by(at, publication.commit_sha)
        assert said.startswith("Packages get a note\n")
        for word in (
            box.removeprefix("sandbox:"),
            answer.data.change_set,
            "apply of cluster: success",
        ):
            assert word in said
        assert inside == []
        clone = tmp_path / "clone"
        run_git(tmp_path, "clone", "-q", "-b", publication.branch, str(at.origin), str(clone))
        loaded = await Folder(clone).load(confined=True)
        shown = await at.must("changeset_show", digest=answer.data.change_set)
        assert loaded.source_digest == shown.body.result.source_digest
        at.bench.write({p: (clone / p).read_text() for p in ("supply.pg", "supply.gq")})
        assert changes(await at.must("plan", in_="cluster")) == tried


async def test_a_publication_goes_from_pending_to_merged_and_a_plan_is_proposed(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path, forge="github") as at:
        assert at.forge is not None
        answer = await at.hand_in(await at.tried())
        publication = answer.data.publication
        still = await at.must("publication_show", id=publication.id)
        head = await at.cluster.ledger.head()
        at.forge.merge(1)

        seen: Any = await at.ask("publication_show", id=publication.id)

        assert publication.status == "PR_CREATED"
        assert publication.pr_url.endswith("/pull/1")
        assert still.publication.status == "PR_CREATED"
        assert seen.data.publication.status == "MERGED"
        assert [n.tool for n in seen.next] == ["plan"]
        assert await at.cluster.ledger.head() == head
        (listed,) = (await at.must("publication_list")).publications
        assert (listed.id, listed.status) == (publication.id, "MERGED")


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("step", [1, 2, 3])
async def test_a_crash_at_any_keeping_and_a_retry_make_one_commit_and_one_pull_request(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: int, when: str
) -> None:
    async with publisher(tmp_path, forge="gitea") as at:
        assert at.forge is not None
        box = await at.tried()
        count = 0
        create, update = Store.create_publication, Store.update_publication_status

        async def stopping(keeping: Any, *given: Any, **more: Any) -> Any:
            nonlocal count
            count += 1
            if (when, count) == ("before", step):
                raise StoppedError
            kept = await keeping(*given, **more)
            if (when, count) == ("after", step):
                raise StoppedError
            return kept

        async def creating(self: Store, publication: Publication) -> None:
            await stopping(create, self, publication)

        async def updating(self: Store, *given: Any, **more: Any) -> Any:
            return await stopping(update, self, *given, **more)

        with monkeypatch.context() as patched:
            patched.setattr(Store, "create_publication", creating)
            patched.setattr(Store, "update_publication_status", updating)
            with pytest.raises(StoppedError):
                await at.hand_in(box, idempotency_key="k")

        again = await at.hand_in(box, idempotency_key="k")
        once_more = await at.hand_in(box, idempotency_key="k")
        fresh = await at.must("publish", in_=box, to="origin", intent="other words")

        assert again.ok, again.diagnostics
        assert once_more.data == again.data
        assert fresh.publication.commit_sha == again.data.publication.commit_sha
        assert again.data.publication.status == "PR_CREATED"
        assert len(at.forge.pulls) == 1
        assert len(at.made()) == len(at.made(at.origin)) == 1
        ended = [op.status for op in await at.cluster.journal.list() if op.action == "publish"]
        assert "running" not in ended


async def test_a_remote_that_refuses_is_told_its_commit_kept_and_a_retry_goes_on(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()
        place = hook(at.origin, "echo no branches today; exit 1")
        refused = await at.hand_in(box, idempotency_key="k")
        listed = (await at.must("publication_list")).publications
        place.unlink()
        again = await at.hand_in(box, idempotency_key="k")

        assert [d.code for d in refused.diagnostics] == ["publication_push_refused"]
        kept = refused.data.publication
        assert (kept.status, kept.error_msg) == ("FAILED", refused.diagnostics[0].message)
        assert kept.commit_sha == at.made()[0]
        assert [(p.status, p.commit_sha) for p in listed] == [("FAILED", kept.commit_sha)]
        assert refused.data.op.status == "failed"
        assert again.ok, again.diagnostics
        assert again.data.publication.commit_sha == kept.commit_sha
        assert again.data.publication.error_msg is None
        assert len(at.made()) == 1


async def test_a_forge_that_fails_half_way_is_told_without_its_token_and_a_retry_goes_on(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path, forge="github") as at:
        assert at.forge is not None
        box = await at.tried()
        at.forge.fail(Fault(at=2, status=500))
        failed = await at.hand_in(box)
        at.forge.fail(None)
        again = await at.hand_in(box)

        assert [d.code for d in failed.diagnostics] == ["publication_forge_failed"]
        assert "500" in failed.diagnostics[0].message
        assert TOKEN not in msgspec.json.encode(failed).decode()
        assert failed.data.publication.status == "FAILED"
        assert again.data.publication.status == "PR_CREATED"
        assert (again.data.publication.commit_sha, len(at.forge.pulls)) == (
            failed.data.publication.commit_sha,
            1,
        )


async def test_a_token_that_is_not_set_is_named_and_nothing_is_committed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with publisher(tmp_path, forge="gitea") as at:
        box = await at.tried()
        monkeypatch.delenv(TOKEN_NAME)

        refused = await at.hand_in(box)

        assert [d.code for d in refused.diagnostics] == ["publication_secret_missing"]
        assert TOKEN_NAME in refused.diagnostics[0].message
        assert at.made() == []


async def test_a_remote_that_is_not_applied_is_refused_and_the_applied_ones_are_named(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()

        for name in ("evil", str(at.origin), "git@evil:o/r.git"):
            refused = await at.hand_in(box, to=name)

            assert [d.code for d in refused.diagnostics] == ["publication_remote_unknown"]
            assert refused.diagnostics[0].detail == "Applied are `origin`."
        assert (await at.must("publication_list")).publications == ()
        assert at.made() == []


async def test_without_a_history_nothing_is_published(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()
        whole = at.cluster
        url = f"sqlite:///{tmp_path / 'history.sqlite'}"
        reading = History(StoreConfig(url=url, read_only=True), at.bench.world.now)
        nowhere = History(StoreConfig(url=f"sqlite:///{tmp_path}"), at.bench.world.now)
        codes = []
        for history in (None, reading, nowhere):
            at.cluster = msgspec.structs.replace(whole, history=history)
            refused = await at.hand_in(box)
            codes += [d.code for d in refused.diagnostics]
            if history is not None:
                await history.aclose()

        assert codes == [
            "publication_history_missing",
            "sandbox_store_read_only",
            "publication_history_missing",
        ]
        assert at.made() == []


async def test_the_folder_gets_all_files_and_the_real_plan_shows_the_change(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()

        answer = await at.hand_in(box, to="folder")
        again = await at.hand_in(box, to="folder")

        assert answer.ok, answer.diagnostics
        assert (answer.data.publication.status, answer.data.publication.repo_url) == (
            "MERGED",
            "folder",
        )
        assert [n.tool for n in answer.next] == ["plan"]
        assert "note: String?" in (at.bench.path / "supply.pg").read_text()
        assert again.data.publication == answer.data.publication
        planned = await at.must("plan", in_="cluster")
        assert {c.resource for c in planned.result.changes} == {
            "graph.supply",
            "schema.supply",
            "query.supply.all_packages",
            "query.supply.with_note",
        }


async def test_a_folder_that_moved_on_is_left_alone_and_a_retry_works_after(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()
        before = (at.bench.path / "supply.gq").read_text()
        at.bench.write({"supply.gq": before + "# mine\n"})

        refused = await at.hand_in(box, to="folder")
        pg = (at.bench.path / "supply.pg").read_text()
        at.bench.write({"supply.gq": before})
        again = await at.hand_in(box, to="folder")

        assert [d.code for d in refused.diagnostics] == ["publication_base_moved"]
        assert "note" not in pg
        assert refused.data.publication.status == "FAILED"
        assert again.ok, again.diagnostics
        assert "with_note" in (at.bench.path / "supply.gq").read_text()


async def test_a_sandbox_that_is_gone_is_published_by_its_change_set(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()
        digest = (await at.must("sandbox_changeset", in_=box)).digest
        await at.must("sandbox_close", in_=box)
        stranger = caller("agent:other", "agent", "http")

        theirs = await at.hand_in(box, by=stranger)
        other = await at.hand_in(box, change_set="0" * 64)
        branch = await at.hand_in(box, change_set=digest)
        folder = await at.hand_in(box, to="folder")

        assert [d.code for d in theirs.diagnostics] == ["sandbox_not_found"]
        assert [d.code for d in other.diagnostics] == ["change_set_not_found"]
        assert branch.data.publication.status == "COMMITTED"
        assert folder.data.publication.status == "MERGED"
        assert "note: String?" in (at.bench.path / "supply.pg").read_text()


async def test_what_a_sandbox_became_after_its_change_set_is_not_published_unseen(
    tmp_path: Path,
) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()
        digest = (await at.must("sandbox_changeset", in_=box)).digest
        await at.must("draft_edit", in_=box, path="supply.gq", content="")

        refused = await at.hand_in(box)
        named = await at.hand_in(box, change_set=digest)

        assert [d.code for d in refused.diagnostics] == ["change_set_stale"]
        assert digest in refused.diagnostics[0].message
        assert named.ok, named.diagnostics
        assert named.data.change_set == digest


async def test_a_sandbox_without_changed_files_is_not_published(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        box = (await at.must("sandbox_open")).sandbox

        refused = await at.hand_in(box)

        assert [d.code for d in refused.diagnostics] == ["publication_nothing"]


async def test_a_publication_of_another_agent_is_not_there(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        publication = (await at.hand_in(await at.tried())).data.publication
        stranger = caller("agent:other", "agent", "http")

        assert await at.codes("publication_show", by=stranger, id=publication.id) == [
            "publication_not_yours"
        ]
        assert (await at.must("publication_list", by=stranger)).publications == ()
        assert (await at.must("publication_list", by=at.bench.sarah)).publications != ()


async def test_a_token_that_is_good_for_trying_publishes_nothing(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()
        trying = msgspec.structs.replace(at.agent, scopes=("look", "try"))

        refused = await at.hand_in(box, by=trying)

        assert [d.code for d in refused.diagnostics] == ["scope_missing"]


async def test_a_publication_whose_change_set_took_too_long_is_made_by_the_next_call(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()
        with monkeypatch.context() as now:
            now.setattr(insides, "CALL_S_MAX", 0.0)
            envelope = await at.hand_in(box)

        assert [d.code for d in envelope.diagnostics] == ["sandbox_over_quota"]
        assert at.made() == []
        assert (await at.must("publication_list")).publications == ()
        assert (await at.hand_in(box)).ok
        assert len(at.made()) == 1


async def test_what_is_published_or_refused_is_a_command_of_its_sandbox(tmp_path: Path) -> None:
    async with publisher(tmp_path) as at:
        box = await at.tried()
        assert not (await at.hand_in(box, to="nowhere")).ok
        assert await at.codes("sandbox_changeset", in_=box) == ["change_set_exists"]
        assert (await at.hand_in(box)).ok
        thief = caller("agent:other", "agent", "http")
        assert not (await at.hand_in(box, by=thief)).ok

        ran = (await at.must("sandbox_commands", in_=box)).commands
        found = [(c.tool, c.exit_code) for c in ran if c.tool in {"publish", "sandbox_changeset"}]
        assert found == [("publish", 1), ("sandbox_changeset", 1), ("publish", 0)]
        assert "publication_remote_unknown" in next(c.stderr for c in ran if c.tool == "publish")
        await at.must("sandbox_close", in_=box)
        assert (await at.hand_in(box)).ok

        assert at.cluster.history is not None
        store = await at.cluster.history.store()
        last, *_ = await store.list_commands(box.removeprefix("sandbox:"))
        assert (last.tool, last.exit_code) == ("publish", 0)
