"""Every step of a publication is one that the store takes, also out of the ordinary. Source: sandboxes 5.15 to 5.17."""

from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
import pytest

from agentctl.adapters.forge.publish import publish, published_state
from agentctl.domain.sandbox.publishing import Publishing, begin
from agentctl.domain.sandbox.records import CLEAR, Publication
from agentctl.engine.sandboxes.opening import open_store
from agentctl.engine.sandboxes.settings import StoreConfig
from agentctl.engine.sandboxes.store import Store
from agentctl.testing.forges import FakeForge, Fault
from agentctl.testing.sandbox_records import SteppingClock
from tests.sandboxes.publishing.publishing_rig import FIRST, Desk, hook, order, run_git


@pytest.fixture
async def store(tmp_path: Path) -> AsyncIterator[Store]:
    config = StoreConfig(url=f"sqlite:///{tmp_path / 'sandboxes.db'}")
    opened = await open_store(config, clock=SteppingClock())
    yield opened
    await opened.close()


class Clerk:
    """Publishes from a desk, and keeps each step in the store."""

    def __init__(self, desk: Desk, store: Store) -> None:
        self._desk = desk
        self._store = store

    async def keep(self, publication: Publication) -> None:
        await self._store.update_publication_status(
            publication.id,
            publication.status,
            commit_sha=publication.commit_sha,
            pr_url=publication.pr_url,
            error_msg=CLEAR if publication.error_msg is None else publication.error_msg,
        )

    async def publish(self) -> Publishing:
        kept = await self._store.get_publication(FIRST)
        return await publish(order(), self._desk.world(), kept, self.keep)

    async def look(self) -> Publishing:
        kept = await self._store.get_publication(FIRST)
        seen = await published_state(self._desk.world(), kept)
        if seen.publication != kept:
            await self.keep(seen.publication)
        return seen

    async def holds(self, told: Publishing) -> bool:
        """Whether the store has what was told, but for when."""
        kept = await self._store.get_publication(FIRST)
        return kept == msgspec.structs.replace(told.publication, updated_at=kept.updated_at)


async def test_a_publication_that_meets_every_trouble_is_kept_as_it_is(
    desk: Desk, forge: FakeForge, store: Store
) -> None:
    await store.create_publication(begin(order(), desk.remote))
    clerk = Clerk(desk, store)
    statuses: list[str] = []

    async def note(told: Publishing) -> None:
        assert await clerk.holds(told)
        statuses.append(f"{told.publication.status} {told.publication.error_msg is not None}")

    hook(desk.origin, "pre-receive", "exit 1")
    await note(await clerk.publish())
    (desk.origin / "hooks" / "pre-receive").unlink()
    forge.fail(Fault(at=1))
    await note(await clerk.publish())
    forge.fail(None)
    await note(await clerk.publish())
    forge.close(1)
    await note(await clerk.look())
    forge.fail(Fault(at=2))
    await note(await clerk.publish())
    forge.fail(None)
    await note(await clerk.publish())
    forge.merge(2)
    await note(await clerk.look())

    assert statuses == [
        "FAILED True",
        "FAILED True",
        "PR_CREATED False",
        "PR_CREATED True",
        "FAILED True",
        "PR_CREATED False",
        "MERGED False",
    ]
    assert len(desk.made()) == 1


async def test_one_at_a_plain_remote_is_merged_without_a_pull_request(
    desk: Desk, store: Store
) -> None:
    await store.create_publication(begin(order(), desk.remote))
    clerk = Clerk(desk, store)
    published = await clerk.publish()
    run_git(desk.origin, "update-ref", "refs/heads/main", "refs/heads/agentctl/try-1")
    merged = await clerk.look()

    assert published.publication.status == "COMMITTED"
    assert merged.publication.status == "MERGED"
    assert merged.publication.pr_url is None
    assert await clerk.holds(merged)
