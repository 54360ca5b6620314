"""A context is a name for a cluster elsewhere: its address, its pinned id, the file of a token."""

import json
import stat
from pathlib import Path
from typing import Any

import pytest

from agentctl.adapters.wire.posting import address_fault
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.faces.cli.exit_codes import ExitCode
from agentctl_tools.contexts import Context, Contexts, read_contexts, read_token, write_contexts

ID = "a" * 64


def test_what_was_added_is_listed_shown_used_and_removed(site: Any) -> None:
    listed = site.read(site.here("context", "list", "--json"))["contexts"]
    site.ok(site.here("context", "use", "prod"))
    shown = site.read(site.here("context", "show", "--json"))
    site.ok(site.here("context", "remove", "prod"))

    assert [c["name"] for c in listed] == ["prod"]
    assert shown["current"] is True
    assert shown["cluster_id"] == site.read(site.here("identity", "show", "--json"))["cluster_id"]
    assert site.read(site.here("context", "list", "--json"))["contexts"] == []
    assert site.here("context", "use", "prod").exit_code == 1


def test_no_secret_stands_in_the_contexts(site: Any) -> None:
    file = site.root / "home" / ".config" / "agentctl" / "contexts.json"

    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert site.token.read_text().strip() not in file.read_text()


def test_a_command_is_about_what_was_named_last_and_a_folder_that_is_named_wins(site: Any) -> None:
    def names_the_server(*words: str | Path) -> bool:
        before = len(site.server.asked)
        site.ok(site.here(*words))
        return len(site.server.asked) > before

    assert not names_the_server("status")
    assert names_the_server("status", "--context", "prod")
    assert names_the_server("--context", "prod", "status")
    site.ok(site.here("context", "use", "prod"))
    assert names_the_server("status")
    assert not names_the_server("status", "--config", site.folder)
    site.ok(site.here("context", "use", "--none"))
    assert not names_the_server("status")
    site._patch.setenv("AGENTCTL_CONTEXT", "prod")
    assert names_the_server("status")


def test_another_cluster_behind_the_address_is_noticed_before_anything_is_asked(site: Any) -> None:
    """A cluster that was made anew, or somebody in between."""
    site.ok(
        site.here("context", "add", "prod", "http://127.0.0.1:7999", "--token-file", site.token,
                  "--cluster-id", ID)
    )  # fmt: skip
    site.server.asked.clear()

    refused = site.there("apply")

    assert refused.exit_code == 3
    assert "server_mismatch" in refused.stderr
    assert [name for name, _ in site.server.asked] == ["identity_show"]


@pytest.mark.parametrize(
    ("url", "is_good"),
    [
        ("https://graphs.example.org", True),
        ("https://graphs.example.org:8443/agentctl", True),
        ("http://127.0.0.1:7077", True),
        ("http://[::1]:7077", True),
        ("unix:/run/agentctl.sock", True),
        ("http://graphs.example.org", False),
        ("https://me:secret@graphs.example.org", False),
        ("https://graphs.example.org/?token=x", False),
        ("https://graphs.example.org:x", False),
        ("http://127.0.0.1.example.org", False),
        ("http://localhost@example.org", False),
        ("ftp://127.0.0.1", False),
        ("unix:run.sock", False),
        ("", False),
    ],
)
def test_a_token_goes_by_tls_or_to_this_machine(url: str, *, is_good: bool) -> None:
    assert (address_fault(url) is None) is is_good


def test_what_cannot_be_a_context_is_not_kept(site: Any) -> None:
    for name, url in (("a b", "https://x"), ("x", "http://example.org"), ("x", "nonsense")):
        refused = site.here("context", "add", name, url, "--token-file", site.token)
        assert (refused.exit_code, "context_refused" in refused.stderr) == (1, True)
    wrong = site.here("context", "add", "x", "https://x", "--token-file", site.token,
                      "--cluster-id", "me")  # fmt: skip
    assert "context_refused" in wrong.stderr
    assert [c["name"] for c in site.read(site.here("context", "list", "--json"))["contexts"]] == [
        "prod"
    ]


@pytest.mark.parametrize(
    "text",
    [
        "{",
        '{"version": 2}',
        '{"version": 1, "contexts": {}, "current": "gone"}',
        '{"version": 1, "sudo": true}',
        json.dumps(
            {
                "version": 1,
                "contexts": {
                    "x": {"url": "http://evil.example", "cluster_id": ID, "token_file": "/t"}
                },
            }
        ),
    ],
)
def test_contexts_that_somebody_edited_wrongly_are_not_half_believed(
    tmp_path: Path, text: str
) -> None:
    path = tmp_path / "contexts.json"
    path.write_text(text)

    found = read_contexts(path)

    assert isinstance(found, Diagnostic)
    assert found.code == "contexts_invalid"


def test_what_was_written_is_read_again_and_the_first_form_stays_readable(tmp_path: Path) -> None:
    path = tmp_path / "agentctl" / "contexts.json"
    one = Context(url="https://x", cluster_id=ID, token_file="/t")
    written = Contexts(current="x", contexts={"x": one})
    write_contexts(path, written)

    assert read_contexts(path) == written
    path.write_text(
        '{"version":1,"current":"x","contexts":{"x":{"url":"https://x","cluster_id":"'
        + ID
        + '","token_file":"/t","key":null}}}'
    )
    assert read_contexts(path) == written
    assert read_contexts(tmp_path / "none.json") == Contexts()


@pytest.mark.parametrize(
    ("text", "mode"),
    [("a b", 0o600), ("", 0o600), ("é", 0o600), ("x" * 20_000, 0o600), ("good", 0o644)],
)
def test_a_file_that_is_open_to_others_or_holds_something_else_is_no_tokens(
    tmp_path: Path, text: str, mode: int
) -> None:
    path = tmp_path / "token"
    path.write_text(text)
    path.chmod(mode)

    found = read_token(path)

    assert isinstance(found, Diagnostic)
    assert found.code == "token_file_unusable"
    path.write_text(" good\n")
    path.chmod(0o400)
    assert read_token(path) == "good"
    assert isinstance(read_token(tmp_path / "none"), Diagnostic)


def test_a_context_that_is_not_there_is_told(site: Any) -> None:
    refused = site.here("status", "--context", "nowhere")

    assert "context_not_found" in refused.stderr
    assert refused.exit_code == 1


@pytest.mark.parametrize(
    "words", [("agent", "run", "look"), ("mcp",), ("serve",)], ids=["agent", "mcp", "serve"]
)
def test_what_works_on_a_folder_here_is_not_begun_where_a_context_is_meant(
    site: Any, words: tuple[str, ...]
) -> None:
    """Neither by name nor as the current one: the folder one is in would be another cluster."""
    before = len(site.server.asked)
    named = site.here(*words, "--context", "prod")
    site.ok(site.here("context", "use", "prod"))
    current = site.here(*words)

    for refused in (named, current):
        assert refused.exit_code == ExitCode.USAGE
        assert "`prod` is a context" in " ".join(refused.stderr.split())
    assert len(site.server.asked) == before


@pytest.mark.parametrize("words", [("agent", "run", "look"), ("mcp",)], ids=["agent", "mcp"])
def test_what_calls_as_an_agent_of_its_own_takes_no_token(
    site: Any, words: tuple[str, ...]
) -> None:
    by_file = site.here(*words, "--token-file", site.token)
    site._patch.setenv("AGENTCTL_TOKEN", site.token.read_text().strip())
    by_variable = site.here(*words)

    for refused in (by_file, by_variable):
        assert refused.exit_code == ExitCode.USAGE
        assert "unset AGENTCTL_TOKEN" in " ".join(refused.stderr.split())
        assert site.token.read_text().strip() not in refused.output
