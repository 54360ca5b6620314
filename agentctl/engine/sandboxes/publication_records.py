"""The records of publications: each status is reached by its machine, and what was reached stays."""

import msgspec

from agentctl.domain.sandbox.listing import ListOptions
from agentctl.domain.sandbox.publication import Rejection, lacks, move
from agentctl.domain.sandbox.records import Clear, Publication, PublicationStatus
from agentctl.engine.sandboxes.entities import PUBLICATION
from agentctl.engine.sandboxes.errors import ConflictError, InvalidError, conflict, invalid
from agentctl.engine.sandboxes.handle import Handle
from agentctl.engine.sandboxes.sandbox_records import chosen
from agentctl.engine.sandboxes.tables import PUBLICATIONS


class PublicationRecords(Handle):
    """What the store does with publications."""

    async def create_publication(self, publication: Publication) -> None:
        """Keeps a new publication; a job may have many.

        Raises:
            AlreadyExistsError: its id is taken.
            InvalidError: its status promises what it has not.
        """
        async with self._writing() as work:
            _complete(publication)
            await work.insert(PUBLICATION, publication)

    async def update_publication_status(
        self,
        publication_id: str,
        to: PublicationStatus,
        *,
        commit_sha: str | Clear | None = None,
        pr_url: str | Clear | None = None,
        error_msg: str | Clear | None = None,
        expected: PublicationStatus | None = None,
    ) -> Publication:
        """Moves a publication; returns it as it is kept.

        Of the three fields None keeps what is kept and `CLEAR` takes it away.

        Args:
            publication_id: which.
            to: the status it comes to.
            commit_sha: the commit it made.
            pr_url: the pull request it opened.
            error_msg: why it failed.
            expected: the status it has to have; None for any from which the move is legal.

        Raises:
            NotFoundError: there is none.
            ConflictError: no move leads there, or it is not where it was expected.
            InvalidError: the status promises a commit or a pull request that is not there.
        """
        async with self._writing() as work:
            kept = await work.get(PUBLICATION, publication_id, lock=True)
            if expected is not None and kept.status != expected:
                message = f"publication {kept.id} is {kept.status}, not {expected}"
                raise ConflictError(conflict("publication", message))
            moved = move(kept, to)
            if isinstance(moved, Rejection):
                message = (
                    f"publication {kept.id} does not go from {moved.at} to {moved.wanted}; "
                    f"it had come to {moved.reached}"
                )
                raise ConflictError(conflict("publication", message))
            publication = msgspec.structs.replace(
                kept,
                status=moved,
                commit_sha=chosen(kept.commit_sha, commit_sha),
                pr_url=chosen(kept.pr_url, pr_url),
                error_msg=chosen(kept.error_msg, error_msg),
                updated_at=work.now(),
            )
            _complete(publication)
            await work.replace(PUBLICATION, publication)
            return publication

    async def get_publication(self, publication_id: str) -> Publication:
        """Returns a publication.

        Raises:
            NotFoundError: there is none.
        """
        async with self._reading() as work:
            return await work.get(PUBLICATION, publication_id)

    async def list_publications(
        self, job_id: str | None = None, options: ListOptions | None = None
    ) -> tuple[Publication, ...]:
        """Returns the publications, of one job where it is given, newest first."""
        async with self._reading() as work:
            where = () if job_id is None else (PUBLICATIONS.c.job_id == job_id,)
            return await work.page(PUBLICATION, options, of="publication", where=where)


def _complete(publication: Publication) -> None:
    lacking = lacks(publication)
    if lacking is not None:
        message = f"a publication that is {publication.status} has a {lacking}"
        raise InvalidError(invalid(lacking, message))
