"""Publishes a change set: commit, push, pull request; each step can be repeated and is kept before the next.

Write order: the commit is on its branch before the record says COMMITTED, the remote has it before a
pull request is asked for, the pull request is open before the record says PR_CREATED. Whoever comes
after a crash finds what is there: the commit by its trailer, the pull request by its branch. So a
retry makes neither a second time. Source: sandboxes 4, Publication, and 5, case 15.
"""

from collections.abc import Awaitable, Callable, Mapping
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import anyio
from anyio import to_thread

from agentctl.adapters.forge.asking import Pause
from agentctl.adapters.forge.branch import commit_changes
from agentctl.adapters.forge.failure import PublishingError, stopped
from agentctl.adapters.forge.forge import Draft, Forge, ForgeError, Pull, pull_number
from agentctl.adapters.forge.open import open_forge
from agentctl.adapters.forge.push import DEADLINE_S, Talk, is_merged_at, push_commit
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.config.remotes import Remote
from agentctl.domain.sandbox.publication_order import PublicationOrder
from agentctl.domain.sandbox.publication_words import pull_body, subject
from agentctl.domain.sandbox.publishing import (
    CLOSED,
    DELETED,
    Publishing,
    committed,
    failed,
    is_over,
    merged,
    order_faults,
    over,
    pulled,
)
from agentctl.domain.sandbox.records import Publication

if TYPE_CHECKING:
    import httpx2

Keep = Callable[[Publication], Awaitable[None]]
"""Stores a publication as it is now; called after each step, before the next."""


class PublicationWorld:
    """Where a publication happens: the folder, the remote, and what the process was given."""

    def __init__(
        self,
        folder: Path,
        remote: Remote,
        environ: Mapping[str, str],
        *,
        transport: "httpx2.AsyncBaseTransport | None" = None,
        pause: Pause = anyio.sleep,
        push_deadline_s: float = DEADLINE_S,
    ) -> None:
        """Looks at nothing yet.

        Args:
            folder: the cluster's, in whose repository the commit is made.
            remote: as applied, never as some folder declares it.
            environ: where the forge's token is, and how git reaches its remotes.
            transport: stands for the network, in tests.
            pause: waits between attempts.
            push_deadline_s: how long a talk of git with the remote may take.
        """
        self.folder = folder
        self.remote = remote
        self.environ = environ
        self._transport = transport
        self._pause = pause
        self._push_deadline_s = push_deadline_s

    def forge(self) -> Forge | None:
        """Opens the forge; None where the remote is none.

        Raises:
            PublishingError: its token is not there.
        """
        profile = self.remote.forge
        if profile is None:
            return None
        return open_forge(
            self.remote, profile, self.environ, transport=self._transport, pause=self._pause
        )

    def talk(self, publication: Publication) -> Talk:
        """Returns what git needs to know of a talk with the remote."""
        return Talk(
            folder=self.folder,
            remote=self.remote,
            publication=publication,
            deadline_s=self._push_deadline_s,
        )


async def publish(
    order: PublicationOrder, world: PublicationWorld, publication: Publication, keep: Keep
) -> Publishing:
    """Brings a publication as far as it comes now; *keep* is called after each step that changes it.

    Called again, after a failure or a crash, with the record that was kept, it goes on. What fails
    is in the diagnostics and makes the record FAILED.
    """
    assert publication.id == order.id
    assert publication.repo_url == world.remote.name
    if publication.status == "PR_CREATED":
        seen = await published_state(world, publication)
        if seen.publication != publication:
            await keep(seen.publication)
        publication = seen.publication
        if not seen.ok or not is_over(publication):
            return seen
    if publication.status == "MERGED":
        return Publishing(publication=publication)
    return await _Attempt(order, world, publication, keep).run()


async def published_state(world: PublicationWorld, publication: Publication) -> Publishing:
    """Returns a publication as its remote has it now: open, closed, gone or merged.

    Where the remote cannot be asked the record stays as it was, and the diagnostics say why.
    """
    if publication.status not in {"COMMITTED", "PR_CREATED"}:
        return Publishing(publication=publication)
    try:
        forge = world.forge()
        if forge is None or publication.pr_url is None:
            return await _plain_state(world, publication)
        try:
            return await _pull_state(world, forge, publication, publication.pr_url)
        finally:
            await forge.aclose()
    except PublishingError as failure:
        return Publishing(publication=publication, diagnostics=(failure.diagnostic,))
    except ForgeError as failure:
        told = _forge_failed(world.remote, failure).diagnostic
        return Publishing(publication=publication, diagnostics=(told,))


class _Attempt:
    """One run through the steps."""

    def __init__(
        self, order: PublicationOrder, world: PublicationWorld, publication: Publication, keep: Keep
    ) -> None:
        self._order = order
        self._world = world
        self._publication = publication
        self._keep = keep

    async def run(self) -> Publishing:
        """Does every step that is still to be done."""
        faults = order_faults(self._order)
        if faults:
            return await self._failed(faults)
        try:
            forge = self._world.forge()
        except PublishingError as failure:
            return await self._failed((failure.diagnostic,))
        try:
            await self._steps(forge)
        except PublishingError as failure:
            return await self._failed((failure.diagnostic,))
        except ForgeError as failure:
            return await self._failed((_forge_failed(self._world.remote, failure).diagnostic,))
        finally:
            if forge is not None:
                await forge.aclose()
        return Publishing(publication=self._publication)

    async def _steps(self, forge: Forge | None) -> None:
        sha = await to_thread.run_sync(
            commit_changes, self._world.folder, self._order, self._publication, self._world.remote
        )
        await self._become(committed(self._publication, sha))
        talk = self._world.talk(self._publication)
        await to_thread.run_sync(partial(push_commit, talk, sha, self._world.environ))
        if forge is None:
            return
        pull = await self._pull(forge, sha)
        await self._become(pulled(self._publication, pull.url))
        if pull.state == "merged":
            await self._become(merged(self._publication))

    async def _pull(self, forge: Forge, sha: str) -> Pull:
        """Returns the open pull request of the branch, or the one that merged this commit, or a new one."""
        head, base = self._publication.branch, self._world.remote.branch_base
        found = _chosen(await forge.find_pulls(head, base), sha)
        if found is not None:
            return found
        title, body = subject(self._order), pull_body(self._order)
        made = await forge.open_pull(Draft(head=head, base=base, title=title, body=body))
        made = made or _chosen(await forge.find_pulls(head, base), sha)
        if made is None:
            msg = "the forge says that the pull request exists, and does not show it"
            raise ForgeError(msg)
        return made

    async def _become(self, publication: Publication) -> None:
        if publication != self._publication:
            await self._keep(publication)
            self._publication = publication

    async def _failed(self, diagnostics: tuple[Diagnostic, ...]) -> Publishing:
        await self._become(failed(self._publication, diagnostics[0]))
        return Publishing(publication=self._publication, diagnostics=diagnostics)


def _chosen(pulls: tuple[Pull, ...], sha: str) -> Pull | None:
    for pull in pulls:
        if pull.state == "open" or (pull.state == "merged" and pull.head_sha == sha):
            return pull
    return None


async def _plain_state(world: PublicationWorld, publication: Publication) -> Publishing:
    sha = publication.commit_sha
    assert sha is not None, "what is COMMITTED has a commit"
    talk = world.talk(publication)
    if await to_thread.run_sync(partial(is_merged_at, talk, sha, world.environ)):
        publication = merged(publication)
    return Publishing(publication=publication)


async def _pull_state(
    world: PublicationWorld, forge: Forge, publication: Publication, url: str
) -> Publishing:
    number = pull_number(url)
    pull = await forge.pull_state(number) if number is not None else None
    if pull is not None and pull.state == "merged":
        return Publishing(publication=merged(publication))
    if pull is not None and pull.state == "open":
        return Publishing(publication=pulled(publication, url))
    why = CLOSED if pull is not None else DELETED
    told = warning(
        "publication_closed",
        world.remote.address,
        why,
        remedy="Publish again to open another, if the changes are still wanted.",
    )
    return Publishing(publication=over(publication, why), diagnostics=(told,))


def _forge_failed(remote: Remote, failure: ForgeError) -> PublishingError:
    return stopped(
        code="publication_forge_failed",
        path=remote.address,
        message=str(failure),
        said=failure.said,
        remedy="Mend what it says, then publish again; what was reached is kept.",
    )
