"""Pushes the commit of a publication to a remote, and sees whether the remote merged it.

Git runs in an empty repository of its own that borrows the objects of the folder's: no setting, hook
or credential helper of the folder's repository is used, and what is fetched is thrown away. Nothing
is ever forced. Blocking. Source: sandboxes 4, Publication.
"""

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import msgspec

from agentctl.adapters.forge.failure import PublishingError, safe_words, stopped
from agentctl.adapters.forge.running import Ended, GitTimeoutError, remote_environ, run_git
from agentctl.adapters.scratch.work_folder import MARK, sweep_work_folders, work_folder
from agentctl.domain.config.remotes import Remote, Transport, transport_of
from agentctl.domain.sandbox.records import Publication

DEADLINE_S: Final = 60.0
"""For each talk with a remote."""
_LOCAL_S: Final = 30.0
_THEIRS: Final = "refs/agentctl/theirs"
_BASE: Final = "refs/agentctl/base"
_REJECTED: Final = re.compile(
    r"^!\t[^\t]*\t\[(?P<by>remote rejected|rejected)\] ?(?P<why>.*)$", re.MULTILINE
)
_QUIET_FETCH: Final = (
    *("-c", "gc.auto=0", "-c", "maintenance.auto=false", "fetch", "--quiet", "--no-tags"),
    *("--no-write-fetch-head", "--no-recurse-submodules", "--no-auto-maintenance", "--"),
)
_PUSH: Final = (
    *("push", "--porcelain", "--no-verify", "--no-follow-tags", "--no-signed"),
    *("--recurse-submodules=no", "--"),
)


class Talk(msgspec.Struct, frozen=True, kw_only=True):
    """With which remote, from which folder, for which publication."""

    folder: Path
    remote: Remote
    publication: Publication
    deadline_s: float = DEADLINE_S

    @property
    def url(self) -> str:
        """What git is given."""
        return self.remote.url

    @property
    def transport(self) -> Transport:
        """How the remote is reached."""
        found = transport_of(self.remote.url)
        assert found is not None, "an applied remote has an address that was checked"
        return found


def push_commit(talk: Talk, sha: str, environ: Mapping[str, str]) -> None:
    """Makes the remote's branch hold the commit; one that holds it already is left alone.

    Raises:
        PublishingError: the remote refused, went another way, or was not reached.
    """
    refspec = f"{sha}:refs/heads/{talk.publication.branch}"
    with _scratch(talk, environ) as scratch:
        ended = scratch.talk((*_PUSH, talk.url, refspec))
        if ended.code == 0:
            return
        rejected = _REJECTED.search(ended.out)
        if rejected is None:
            raise _unreachable(talk, ended)
        if rejected["by"] == "rejected":
            if scratch.holds(f"refs/heads/{talk.publication.branch}", _THEIRS, sha):
                return
            raise _diverged(talk)
        if not scratch.is_there(sha):  # Somebody else may have pushed the same commit meanwhile.
            raise _refused(talk, rejected["why"], ended)


def is_merged_at(talk: Talk, sha: str, environ: Mapping[str, str]) -> bool:
    """Returns whether the commit is part of the remote's base branch.

    Raises:
        PublishingError: the remote was not reached.
    """
    with _scratch(talk, environ) as scratch:
        return scratch.holds(f"refs/heads/{talk.remote.branch_base}", _BASE, sha)


class _Scratch:
    """An empty repository with the folder's objects."""

    def __init__(self, place: Path, talk: Talk, environ: Mapping[str, str]) -> None:
        self._place = place
        self._talk = talk
        self._environ = environ

    def run(self, words: tuple[str, ...], *, deadline_s: float = _LOCAL_S) -> Ended:
        """Runs git there."""
        return run_git(words, folder=self._place, environ=self._environ, deadline_s=deadline_s)

    def talk(self, words: tuple[str, ...]) -> Ended:
        """Runs git there, with the remote."""
        return self.run(words, deadline_s=self._talk.deadline_s)

    def is_there(self, sha: str) -> bool:
        """Returns whether the remote's branch is at the commit; False where it does not say."""
        branch = f"refs/heads/{self._talk.publication.branch}"
        listed = self.talk(("ls-remote", "--", self._talk.url, branch))
        return listed.code == 0 and listed.out.split() == [sha, branch]

    def holds(self, theirs: str, kept: str, sha: str) -> bool:
        """Returns whether a branch of the remote, fetched as *kept*, holds the commit."""
        fetched = self.talk((*_QUIET_FETCH, self._talk.url, f"+{theirs}:{kept}"))
        if fetched.code != 0:
            if "couldn't find remote ref" in fetched.err:
                return False
            raise _unreachable(self._talk, fetched)
        return self.run(("merge-base", "--is-ancestor", sha, kept)).code == 0


@contextmanager
def _scratch(talk: Talk, environ: Mapping[str, str]) -> Iterator[_Scratch]:
    sweep_work_folders()  # of publishers that were killed
    try:
        with work_folder("push") as place:
            mark = {MARK: str(place)}
            bare = remote_environ(environ, talk.transport, ssh_command="") | mark
            borrowed = _borrowed(talk.folder, bare)
            _init(place, borrowed, bare)
            asked = environ.get("GIT_SSH_COMMAND") or _ssh_setting(place, bare)
            whole = remote_environ(environ, talk.transport, ssh_command=asked) | mark
            yield _Scratch(place, talk, whole)
    except (OSError, GitTimeoutError) as failure:
        raise stopped(
            code="publication_unreachable",
            path=talk.remote.address,
            message=f"the remote `{talk.remote.name}` was not reached",
            said=safe_words(str(failure)),
            remedy="See that git runs and that the remote answers, then publish again.",
        ) from failure


class _Borrowed(msgspec.Struct, frozen=True, kw_only=True):
    """What is taken over from the folder's repository."""

    objects: Path
    shallow: Path
    object_format: str


def _borrowed(folder: Path, environ: Mapping[str, str]) -> _Borrowed:
    words = (
        *("rev-parse", "--path-format=absolute", "--show-object-format"),
        *("--git-path", "objects", "--git-path", "shallow"),
    )
    ended = run_git(words, folder=folder, environ=environ, deadline_s=_LOCAL_S)
    told = ended.out.splitlines()
    if ended.code != 0 or len(told) != 3:
        raise OSError(ended.err or "the folder's repository cannot be read")
    return _Borrowed(objects=Path(told[1]), shallow=Path(told[2]), object_format=told[0])


def _init(place: Path, borrowed: _Borrowed, environ: Mapping[str, str]) -> None:
    words = (
        "init",
        "--quiet",
        "--bare",
        "--template=",
        f"--object-format={borrowed.object_format}",
    )
    ended = run_git(words, folder=place, environ=environ, deadline_s=_LOCAL_S)
    if ended.code != 0:
        raise OSError(ended.err)
    info = place / "objects" / "info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "alternates").write_text(f"{borrowed.objects}\n")
    if borrowed.shallow.is_file():
        (place / "shallow").write_bytes(borrowed.shallow.read_bytes())


def _ssh_setting(place: Path, environ: Mapping[str, str]) -> str:
    """Returns how the operator's own settings of git say that ssh is called; empty by default."""
    words = ("config", "--get", "core.sshCommand")
    ended = run_git(words, folder=place, environ=environ, deadline_s=_LOCAL_S)
    return ended.out.strip() if ended.code == 0 else ""


def _unreachable(talk: Talk, ended: Ended) -> PublishingError:
    return stopped(
        code="publication_unreachable",
        path=talk.remote.address,
        message=f"git could not talk to the remote `{talk.remote.name}`",
        said=safe_words(ended.err),
        remedy="Try it by hand as the user that runs agentctl, then publish again.",
    )


def _refused(talk: Talk, why: str, ended: Ended) -> PublishingError:
    told = safe_words(why.strip().removeprefix("(").removesuffix(")"), multiline=False)
    return stopped(
        code="publication_push_refused",
        path=talk.remote.address,
        message=f"the remote `{talk.remote.name}` refused the branch: {told}",
        said=safe_words(ended.err),
        remedy="See what the remote wants, then publish again; the commit is kept.",
    )


def _diverged(talk: Talk) -> PublishingError:
    branch = talk.publication.branch
    return stopped(
        code="publication_branch_moved",
        path=talk.remote.address,
        message=f"`{branch}` at the remote `{talk.remote.name}` holds other commits, and is not overwritten",
        remedy="Merge or delete that branch there, then publish again.",
    )
