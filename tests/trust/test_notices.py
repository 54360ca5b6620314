"""People are told elsewhere: whom, of what, how, and that nothing waits for it.

Source: access-and-faces 3.5.
"""

import http.server
import json
import sys
import threading
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest

from agentctl.adapters.notify.deliver import SIGNATURE, deliver, signature_of
from agentctl.adapters.notify.once import tell
from agentctl.adapters.notify.profile import Target, profile_path, read_targets
from agentctl.diagnostics.diagnostic import Diagnostic, warning
from agentctl.domain.approval.notices import Notice, Where, due, of_decision, of_request
from agentctl.engine.apply import apply
from agentctl.testing.builders import Bench, ask, cluster_yaml, folder_files, wanting
from agentctl.testing.consent import Consent, consent
from agentctl.testing.shell import Shell
from agentctl_tools.door import call

SECRET = "only-in-the-environment"


async def where(bench: Consent) -> Where:
    return Where(
        cluster="supply", cluster_id=bench.cluster_id, folder="/srv/supply", now=bench.world.now()
    )


async def requested() -> Notice:
    bench = await consent()
    return of_request("requested", await bench.ask(), await where(bench))


async def test_a_notice_says_facts_and_a_command_and_no_word_of_the_asker() -> None:
    bench = await consent()
    request = await bench.ask()
    notice = of_request("requested", request, await where(bench))

    assert notice.run == f"agentctl approvals show {request.request_id} --config /srv/supply"
    assert (notice.resource, notice.asked_by, notice.on_behalf_of) == (
        "graph.knowledge",
        "agent:sarah",
        "sarah",
    )
    assert request.intent not in msgspec.json.encode(notice).decode()


async def test_a_decision_made_alone_is_an_event_of_its_own() -> None:
    bench = await consent()
    await bench.regroup("sarah", "breakglass")
    request = await bench.ask()
    artifact: Any = await bench.try_to_decide(request, reason="fire", break_glass=True)
    notice = of_decision(request, artifact, await where(bench))

    assert (notice.event, notice.decision, notice.by) == ("break_glass", "approve", "sarah")
    assert "approvals review" in notice.run


@pytest.mark.parametrize(
    ("hours", "events"),
    [(0, []), (11.9, []), (12.1, ["half_time"]), (23.1, ["expiring"]), (24.1, [])],
)
async def test_time_alone_makes_a_request_worth_telling(hours: float, events: list[str]) -> None:
    bench = await consent()
    await bench.ask()
    bench.world.advance(timedelta(hours=hours).total_seconds())

    told = due(await bench.approvals.reviews(), await where(bench))

    assert [notice.event for notice in told] == events


async def test_what_is_decided_is_not_told_again() -> None:
    bench = await consent()
    await bench.decide(await bench.ask())
    bench.world.advance(80_000)

    assert due(await bench.approvals.reviews(), await where(bench)) == ()


# How it gets there.


async def test_a_command_gets_the_notice_on_stdin_and_no_secret_of_the_process(
    tmp_path: Path,
) -> None:
    out = tmp_path / "out"
    program = (
        f"import os, sys; open({str(out)!r}, 'w').write(sys.stdin.read() + str(dict(os.environ)))"
    )
    target = Target(command=(sys.executable, "-c", program))
    notice = await requested()

    failed = await deliver(notice, [target], {"PATH": "/usr/bin", "AWS_SECRET_ACCESS_KEY": SECRET})

    written = out.read_text()
    assert failed == ()
    assert json.loads(written[: written.index("}") + 1])["event"] == "requested"
    assert SECRET not in written


async def test_a_file_gets_one_line_each_and_belongs_to_its_user(tmp_path: Path) -> None:
    out = tmp_path / "notices.jsonl"
    notice = await requested()
    for _ in range(2):
        assert await deliver(notice, [Target(file=str(out))], {}) == ()

    lines = [json.loads(line) for line in out.read_text().splitlines()]
    assert [line["event"] for line in lines] == ["requested", "requested"]
    assert out.stat().st_mode & 0o077 == 0


class Hook(http.server.BaseHTTPRequestHandler):
    """Takes what is posted."""

    received: list[tuple[str | None, bytes]] = []  # noqa: RUF012  # one server a test
    status = 204

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.received.append((self.headers[SIGNATURE], body))
        self.send_response(self.status)
        self.send_header("Location", "http://127.0.0.1:1/")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@pytest.fixture
def hook() -> Iterator[tuple[str, type[Hook]]]:
    kind = type("OneHook", (Hook,), {"received": []})
    server = http.server.HTTPServer(("127.0.0.1", 0), kind)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/hook", kind
    server.shutdown()
    thread.join()
    server.server_close()


async def test_a_webhook_is_signed_over_its_exact_body(hook: tuple[str, type[Hook]]) -> None:
    url, kind = hook
    target = Target(url=url, secret="${HOOK}")

    failed = await deliver(await requested(), [target], {"HOOK": SECRET})

    ((signature, body),) = kind.received
    assert failed == ()
    assert signature == signature_of(body, SECRET)
    assert SECRET.encode() not in body


@pytest.mark.parametrize("status", [302, 500])
async def test_a_webhook_that_sends_elsewhere_or_fails_is_told(
    hook: tuple[str, type[Hook]], status: int
) -> None:
    url, kind = hook
    kind.status = status

    (failed,) = await deliver(await requested(), [Target(url=url, secret="${HOOK}")], {"HOOK": "x"})

    assert (failed.code, failed.severity) == ("notify_failed", "warning")
    assert str(status) in failed.message
    assert len(kind.received) == 1


@pytest.mark.parametrize(
    "target",
    [
        Target(command=("/no/such/program",)),
        Target(command=("false",)),
        Target(command=(sys.executable, "-c", "import threading; threading.Event().wait()")),
        Target(file="/no/such/folder/notices"),
        Target(url="http://127.0.0.1:1/", secret="${HOOK}"),
        Target(url="http://127.0.0.1:1/", secret="${UNSET}"),
    ],
)
async def test_what_fails_is_a_warning_and_the_next_one_is_told_all_the_same(
    target: Target, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("agentctl.adapters.notify.deliver.TIMEOUT_S", 0.5)
    out = tmp_path / "notices"
    path = {"PATH": "/usr/bin:/bin", "HOOK": SECRET}

    failed = await deliver(await requested(), [target, Target(file=str(out))], path)

    assert [d.code for d in failed] == ["notify_failed"]
    assert SECRET not in failed[0].message
    assert out.exists()


async def test_a_target_may_want_some_events_only(tmp_path: Path) -> None:
    out = tmp_path / "notices"
    await deliver(await requested(), [Target(file=str(out), events=("decided",))], {})

    assert not out.exists()


# Whom the profile names.


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("notify: [{}]", "one of command, url and file"),
        ("notify: [{file: notices}]", "whole path"),
        ("notify: [{file: /x, url: 'https://h'}]", "one of command"),
        ("notify: [{url: 'https://h'}]", "needs a secret"),
        ("notify: [{url: 'https://h', secret: abc}]", "never the value"),
        ("notify: [{url: 'http://h', secret: '${A}'}]", "https://"),
        ("notify: [{url: 'https://u:p@h', secret: '${A}'}]", "no password"),
        ("notify: [{command: [a], secret: '${A}'}]", "only a url"),
        ("notify: [{shell: rm}]", "unknown field"),
        ("notify: 5", "Expected"),
        ("notify: [", "no YAML"),
        ("[" * 70_000, "longer than"),
    ],
)
def test_a_profile_that_cannot_be_used_tells_nobody_and_says_so(
    text: str, told: str, tmp_path: Path
) -> None:
    (tmp_path / "profile.yaml").write_text(text)

    found = read_targets(tmp_path / "profile.yaml")

    assert found.targets == ()
    assert [d.code for d in found.diagnostics] == ["notify_invalid"]
    assert told in found.diagnostics[0].message


def test_without_a_profile_nobody_is_told_and_nothing_is_wrong(tmp_path: Path) -> None:
    assert read_targets(tmp_path / "none") == read_targets(tmp_path / "none")
    assert read_targets(tmp_path / "none").diagnostics == ()
    assert profile_path({}, tmp_path) == tmp_path / ".config/agentctl/profile.yaml"


async def test_each_thing_is_told_once_of_each_request(tmp_path: Path) -> None:
    out = tmp_path / "notices"
    folder = tmp_path / ".config" / "agentctl"
    folder.mkdir(parents=True)
    (folder / "profile.yaml").write_text(f"notify: [{{file: {out}}}]\n")
    notice = await requested()
    later = msgspec.structs.replace(notice, event="half_time")

    for one in (notice, notice, later, later):
        assert await tell(one, {}, tmp_path) == ()

    assert [json.loads(line)["event"] for line in out.read_text().splitlines()] == [
        "requested",
        "half_time",
    ]


# From the command line, and from an agent's request.


def test_a_request_and_its_decision_reach_the_operator(removing: Shell, tmp_path: Path) -> None:
    out = tmp_path / "notices"
    profile = removing.home / ".config" / "agentctl" / "profile.yaml"
    profile.write_text(f"notify:\n  - file: {out}\n  - command: [/no/such/program]\n")
    tested = removing.run("notify", "--test")
    asked = removing.run("approvals", "request", "graph.spare")
    again = removing.run("approvals", "request", "graph.spare")
    denied = removing.run("deny", "graph.spare", "--reason", "no")
    events = [json.loads(line)["event"] for line in out.read_text().splitlines()]

    assert tested.returncode == asked.returncode == again.returncode == denied.returncode == 0
    assert "notify_failed" in asked.stderr
    assert events == ["test", "requested", "decided"]


# Who reconciles tells what time alone makes worth telling.


async def reconciled(tmp_path: Path, **arguments: object) -> list[str]:
    """Runs a reconciler for a day over a gate that nobody decides; returns what people were told."""
    bench = Bench(tmp_path)
    cluster = await bench.begun(folder_files("supply", "spare"))
    await apply(cluster, bench.sarah, wanting())
    bench.write({"spare.pg": None, "spare.gq": None, "cluster.yaml": cluster_yaml("supply")})
    await ask(cluster, bench.agent, "graph.spare")
    told: list[str] = []
    marks: set[tuple[str | None, str]] = set()

    async def tell(notice: Notice) -> tuple[Diagnostic, ...]:
        if (notice.request_id, notice.event) not in marks:
            marks.add((notice.request_id, notice.event))
            told.append(f"{notice.event} {notice.resource}")
        return (warning("notify_failed", "notify", "nobody listens"),)

    begun = bench.world.monotonic()

    async def sleep(seconds: float) -> None:
        bench.world.advance(max(seconds, 600.0))

    watched = msgspec.structs.replace(cluster, tell=tell, sleep=sleep)
    ended = await call(
        watched,
        bench.sarah,
        "reconcile",
        {"intent": "keep it so", "interval_s": 3600.0, **arguments},
        is_interrupted=lambda: bench.world.monotonic() - begun > 86_000,
    )
    assert ended.ok, "and that nobody listened stopped nothing"
    return told


async def test_a_reconciler_tells_of_requests_whose_time_runs_out(tmp_path: Path) -> None:
    assert await reconciled(tmp_path) == ["half_time graph.spare", "expiring graph.spare"]


async def test_a_reconciler_that_only_says_what_it_would_do_tells_nobody(tmp_path: Path) -> None:
    assert await reconciled(tmp_path, dry_run=True) == []
