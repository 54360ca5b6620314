"""What a publication is called, says and may become, without git or a forge."""

import re
from typing import TYPE_CHECKING

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.config.remotes import Remote, remote_of, remote_url_fault, transport_of
from agentctl.domain.sandbox.publication import move
from agentctl.domain.sandbox.publication_words import (
    SUBJECT_CELLS_MAX,
    author_name,
    branch_name,
    commit_message,
    pull_body,
    subject,
)
from agentctl.domain.sandbox.publishing import (
    CLOSED,
    begin,
    committed,
    failed,
    find_remote,
    is_over,
    merged,
    nothing_to_publish,
    over,
    pulled,
)
from agentctl.foreign import cells
from tests.sandboxes.publishing.publishing_rig import FIRST, SANDBOX, order

if TYPE_CHECKING:
    from agentctl.domain.sandbox.records import PublicationStatus

REMOTE = Remote(name="origin", url="/srv/x.git")
WHY = nothing_to_publish("sandbox:x")
TEXTS = st.text(max_size=300)


@given(name=TEXTS)
def test_a_branch_is_always_one_that_git_takes(name: str) -> None:
    branch = branch_name(name, SANDBOX)

    assert re.fullmatch(r"agentctl/[A-Za-z0-9_][A-Za-z0-9._-]{0,63}", branch)
    assert ".." not in branch
    assert not branch.endswith((".", ".lock"))
    assert branch in {f"agentctl/{name}", f"agentctl/{SANDBOX}"}


@given(intent=TEXTS, line=TEXTS, who=TEXTS)
def test_whatever_somebody_says_is_plain_text_with_our_trailers_at_its_end(
    intent: str, line: str, who: str
) -> None:
    wanted = order(intent=intent, evidence=(line,), blast_radius=(line,), on_behalf_of=who)
    message = commit_message(wanted)

    first, blank, *_ = message.split("\n")
    assert first == subject(wanted)
    assert first.strip()
    assert cells(first) <= SUBJECT_CELLS_MAX
    assert blank == ""
    assert all(c == "\n" or c.isprintable() for c in message)
    last = message.rstrip("\n").split("\n\n")[-1].split("\n")
    assert last[0] == f"Agentctl-Publication: {FIRST}"
    assert all(row.startswith("Agentctl-") for row in last)
    assert message.count("\nAgentctl-Publication:") == 1
    assert message in pull_body(wanted)


@given(who=TEXTS)
def test_an_author_is_a_name_that_git_takes(who: str) -> None:
    name = author_name(who)

    assert name.strip(" .,:;<>\"\\'")
    assert not set(name) & set("<>\n\0")


def test_a_publication_goes_on_from_what_it_reached() -> None:
    begun = begin(order(), REMOTE)
    early = failed(begun, WHY)
    made = committed(early, "a" * 40)
    late = failed(made, WHY)
    again = committed(late, "a" * 40)
    asked = pulled(again, "https://h/pull/1")
    closed = over(asked, CLOSED)
    broken = failed(closed, WHY)
    kept = committed(broken, "a" * 40)
    new = pulled(kept, "https://h/pull/2")
    done = merged(new)

    assert [p.status for p in (begun, early, made, late, again, asked, closed, broken, new, done)] == [
        "PENDING", "FAILED", "COMMITTED", "FAILED", "COMMITTED", "PR_CREATED", "PR_CREATED", "FAILED",
        "PR_CREATED", "MERGED",
    ]  # fmt: skip
    assert (late.commit_sha, late.error_msg) == ("a" * 40, WHY.message)
    assert (broken.commit_sha, broken.pr_url) == ("a" * 40, "https://h/pull/1")
    assert is_over(closed)
    assert not is_over(asked)
    assert kept == broken
    assert done.error_msg is None


def test_what_is_merged_becomes_nothing_else() -> None:
    done = msgspec.structs.replace(begin(order(), REMOTE), status="MERGED")

    others: tuple[PublicationStatus, ...] = ("PENDING", "COMMITTED", "PR_CREATED", "FAILED")
    for status in others:
        assert move(done, status) != status
    with pytest.raises(AssertionError):
        failed(done, WHY)


def test_a_remote_that_is_not_applied_is_told_with_those_that_are() -> None:
    found = find_remote("origin", {"origin": REMOTE})
    evil = find_remote("git@evil:x\x1b[31m", {"origin": REMOTE})
    none = find_remote("origin", {})

    assert found == REMOTE
    assert not isinstance(evil, Remote)
    assert not isinstance(none, Remote)
    assert (evil.code, evil.detail) == ("publication_remote_unknown", "Applied are `origin`.")
    assert "evil" not in str(evil)
    assert none.detail == "None is applied."


def test_a_remote_is_read_from_what_the_catalog_holds() -> None:
    fields = {
        "url": "git@h:o/r.git",
        "branch_base": "trunk",
        "forge": {"kind": "gitea", "api": "https://h/api/v1", "repo": "o/r", "token": "${T}"},
    }
    remote = remote_of("origin", fields)

    assert remote.address == "remote.origin"
    assert (remote.url, remote.branch_base) == ("git@h:o/r.git", "trunk")
    assert remote.forge is not None
    assert remote.forge.token == "${T}"


@pytest.mark.parametrize(
    ("url", "transport"),
    [
        ("/srv/x.git", "file"), ("file:///srv/x.git", "file"), ("git@h:o/r.git", "ssh"),
        ("ssh://h/x", "ssh"), ("ssh://git@[::1]:22/x", "ssh"), ("git@h:/srv/x.git", "ssh"),
        ("-oProxyCommand=x", None), ("ssh://-oProxyCommand=x/y", None), ("git@-x:y", None),
        ("git@h:-y", None), ("ext::sh", None), ("https://h/x", None), ("git://h/x", None),
        ("../x", None), ("x", None), ("", None), ("/a\nb", None), ("ssh://a:b@h/x", None),
        ("ssh://h:x/y", None), ("fd::3", None), ("/" + "x" * 2000, None), ("h:x", None),
    ],
)  # fmt: skip
def test_git_is_given_addresses_of_files_and_of_ssh_and_no_other(
    url: str, transport: str | None
) -> None:
    assert transport_of(url) == transport
    assert (remote_url_fault(url) is None) == (transport is not None)
