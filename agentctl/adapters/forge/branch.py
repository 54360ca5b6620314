"""The commit of a publication on its branch, in the repository of the cluster folder.

Made by plumbing on top of the base branch; the worktree and the index stay as they are, no hook is
run, and a branch moves from the value it had or not at all. A commit says which publication made it,
so that whoever comes again finds it. Blocking. Source: sandboxes 4, Publication.
"""

from pathlib import Path
from typing import Final

import msgspec

from agentctl.adapters.forge.failure import PublishingError, safe_words, stopped
from agentctl.adapters.sources.git_draft import GitFailedError, Repository, Words, repository_of
from agentctl.canonical import sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.remotes import Remote
from agentctl.domain.sandbox.publication_order import PublicationOrder
from agentctl.domain.sandbox.publication_words import (
    PUBLICATION_TRAILER,
    SANDBOX_TRAILER,
    author_name,
    commit_message,
)
from agentctl.domain.sandbox.publishing import address_of, moved_files, nothing_to_publish
from agentctl.domain.sandbox.records import Publication
from agentctl.instants import parse_instant

_MAIL: Final = "agentctl@localhost"
_WALKED_MAX: Final = 1_000
"""How many commits of a branch are looked at."""
_PLAIN_LOG: Final = (
    *("-c", "log.showSignature=false", "-c", "i18n.logOutputEncoding=UTF-8"),
    *("log", "--no-color"),
)
"""Whatever the repository's settings make of `git log`."""
_MEND: Final = "Mend the repository, then publish again."


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    """A commit on the way from the base branch to the tip of the publication's branch."""

    commit: str
    publication: str
    sandbox: str


def commit_changes(
    folder: Path, order: PublicationOrder, publication: Publication, remote: Remote
) -> str:
    """Returns the one commit of a publication, made now or found.

    Raises:
        PublishingError: it is not there and cannot be made; nothing was changed.
    """
    found = repository_of(folder)
    if found is None:
        raise stopped(
            code="publication_no_repository",
            path=address_of(order),
            message="the cluster folder is not committed to a git repository",
            remedy="Commit it, or publish to the folder itself.",
        )
    try:
        return _Branch(found, order, publication, remote).commit()
    except GitFailedError as failure:
        raise stopped(
            code="publication_commit_failed",
            path=address_of(order),
            message="git could not make the commit",
            said=safe_words(str(failure)),
            remedy=_MEND,
        ) from failure


class _Branch:
    """The branch of one publication."""

    def __init__(
        self, found: Repository, order: PublicationOrder, publication: Publication, remote: Remote
    ) -> None:
        self._found = found
        self._order = order
        self._publication = publication
        self._ref = f"refs/heads/{publication.branch}"
        self._base = found.commit_of(f"refs/heads/{remote.branch_base}") or found.head
        self._base_name = remote.branch_base
        self._message = commit_message(order)

    def commit(self) -> str:
        known, tip = self._publication.commit_sha, self._found.commit_of(self._ref)
        if known is not None:
            return self._known(known, tip)
        root, parent = self._base, self._base
        if tip is not None:
            root = self._root(tip)
            mine = self._mine(root, tip)
            if mine is not None:
                return mine
            if root == tip:  # It was merged: the next one begins on the base.
                root = parent = self._base
            else:
                parent = tip
        return self._make(root, parent, tip)

    def _known(self, known: str, tip: str | None) -> str:
        """Returns the commit that an earlier attempt recorded; its branch is put back if it is gone."""
        if self._found.commit_of(known) is None:
            raise self._moved(message="the commit that was published is gone")
        if tip is None:
            self._move_ref(known, None)
        elif not self._is_ancestor(known, tip):
            raise self._moved(message=f"`{self._publication.branch}` went another way")
        return known

    def _root(self, tip: str) -> str:
        """Returns where the branch left the base; the tip itself where it was merged."""
        try:
            return self._found.git("merge-base", self._base, tip).strip()
        except GitFailedError as failure:
            raise self._moved(
                message=f"`{self._publication.branch}` has another history"
            ) from failure

    def _mine(self, root: str, tip: str) -> str | None:
        """Returns the commit that this publication made on the branch, if it did.

        Every other one there must have been made for this sandbox: what people add is theirs.
        """
        line = f"%H%x1f%(trailers:key={PUBLICATION_TRAILER},valueonly,separator=%x20)"
        line += f"%x1f%(trailers:key={SANDBOX_TRAILER},valueonly,separator=%x20)"
        span = tip if root == tip else f"{root}..{tip}"
        count = 1 if root == tip else _WALKED_MAX
        told = self._found.git(*_PLAIN_LOG, f"--max-count={count}", f"--format={line}", span)
        walked = tuple(_made(row) for row in told.splitlines())
        for made in walked:
            if made.publication == self._order.id and self._says(made.commit):
                return made.commit
        if root != tip and any(made.sandbox != self._order.sandbox_id for made in walked):
            message = f"`{self._publication.branch}` holds commits of somebody else"
            raise self._moved(message=message)
        return None

    def _says(self, commit: str) -> bool:
        """Returns whether a commit is what this order makes: its words and its files."""
        told = self._found.git(*_PLAIN_LOG, "-1", "--format=%B", commit)
        if told.strip() != self._message.strip():
            return False
        present = self._present(commit)
        return all(present.get(file.path) == file.new for file in self._order.files)

    def _make(self, root: str, parent: str, tip: str | None) -> str:
        moved = moved_files(
            self._order.files, self._present(root), where=f"the branch `{self._base_name}`"
        )
        if moved:
            raise PublishingError(_one_of(moved))
        removed = tuple(file.path for file in self._order.files if file.new is None)
        tree = self._found.tree(root, self._order.contents, removed)
        if tree == self._found.tree_of(root):
            raise PublishingError(nothing_to_publish(address_of(self._order)))
        made = self._found.commit_tree(tree, parent, self._words())
        self._move_ref(made, tip)
        return made

    def _move_ref(self, commit: str, tip: str | None) -> None:
        old = tip or "0" * len(commit)
        try:
            self._found.git("update-ref", "-m", "agentctl publish", self._ref, commit, old)
        except GitFailedError:
            if self._found.commit_of(self._ref) != commit:
                raise

    def _present(self, commit: str) -> dict[str, str | None]:
        """Returns the SHA-256 of the order's files in a commit, by path; None for no file."""
        return {file.path: self._digest(commit, file.path) for file in self._order.files}

    def _digest(self, commit: str, path: str) -> str | None:
        listed = self._found.git("ls-tree", "-z", commit, "--", path)
        facts = listed.partition("\t")[0].split(" ")
        if len(facts) != 3:
            return None
        mode, kind, object_id = facts
        if kind == "tree":
            return None  # A folder is no file; git refuses one in its place while it holds any.
        if kind != "blob" or not mode.startswith("100"):
            return f"{kind} of mode {mode}"
        data = self._found.git("cat-file", "blob", object_id)
        return sha256_hex(data.encode("utf-8", "surrogateescape"))

    def _is_ancestor(self, commit: str, of: str) -> bool:
        try:
            self._found.git("merge-base", "--is-ancestor", commit, of)
        except GitFailedError:
            return False
        return True

    def _words(self) -> Words:
        seconds = int(parse_instant(self._order.at).timestamp())
        return Words(
            message=self._message,
            author=author_name(self._order.principal),
            email=_MAIL,
            at=f"@{seconds} +0000",
        )

    def _moved(self, *, message: str) -> PublishingError:
        branch, base = self._publication.branch, self._base_name
        return stopped(
            code="publication_branch_moved",
            path=address_of(self._order),
            message=message,
            remedy=f"See `git log {base}..{branch}`; merge or delete that branch, then publish again.",
        )


def _made(row: str) -> _Made:
    commit, publication, sandbox = row.split("\x1f")
    return _Made(commit=commit, publication=publication.strip(), sandbox=sandbox.strip())


def _one_of(moved: tuple[Diagnostic, ...]) -> Diagnostic:
    """Returns the first fault, with how many files more there are."""
    if len(moved) == 1:
        return moved[0]
    first = moved[0]
    return msgspec.structs.replace(first, detail=f"So are {len(moved) - 1:,} files more.")
