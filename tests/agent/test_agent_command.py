"""`agentctl agent` as a person meets it: what it prints, how it ends, what it leaves."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from agentctl.faces.cli import agent_runs
from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.main import cli
from agentctl.testing.scripted_model import Fails, Play, Says, ScriptedApi

ROOT = Path(__file__).parents[2]
GUIDE = ROOT / "docs" / "guides" / "agent.md"
KEY = "sk-ant-api03-" + "k3yOfThe0perator" * 3
EMPTY = {"path": "cluster.yaml", "content": "version: 1\n"}
LIMIT_S = 60

Run = Callable[..., Result]


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Run:
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("XDG_CONFIG_HOME", str(home / ".config"))
    monkeypatch.setenv("XDG_STATE_HOME", str(home / ".state"))
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)

    def invoke(*arguments: str | Path) -> Result:
        return CliRunner().invoke(cli, [str(a) for a in arguments], prog_name="agentctl")

    return invoke


@pytest.fixture
def supply(run: Run, tmp_path: Path) -> Path:
    folder = tmp_path / "supply"
    assert run("init", folder, "--no-passphrase").exit_code == 0
    return folder


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Callable[..., ScriptedApi]:
    """Puts a script in place of the API."""

    def scripted(*acts: Play) -> ScriptedApi:
        api = ScriptedApi(acts)
        monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
        for name in ("run_goal", "resume_session"):
            whole = getattr(agent_runs, name)
            monkeypatch.setattr(agent_runs, name, partial(whole, http=api.client()))
        return api

    return scripted


def test_without_a_key_nothing_is_begun(run: Run, tmp_path: Path) -> None:
    session = tmp_path / "s.jsonl"

    ended = run("agent", "run", "look", "--session", session)

    assert ended.exit_code == ExitCode.DENIED
    assert "agent_model_key_missing" in ended.stderr
    assert not session.exists()


def test_a_file_that_is_there_is_not_written_over(
    run: Run, tmp_path: Path, model: Callable[..., ScriptedApi]
) -> None:
    model()
    session = tmp_path / "s.jsonl"
    session.write_text("mine")

    ended = run("agent", "run", "look", "--session", session)

    assert ended.exit_code == ExitCode.ERRORS
    assert "agent_session_exists" in ended.stderr
    assert session.read_text() == "mine"


@pytest.mark.parametrize(
    "arguments",
    [
        ("run",),
        ("run", " "),
        ("run", "look", "--max-cost", "1"),
        ("run", "look", "--price", "cheap"),
        ("run", "look", "--price", "nan/1"),
        ("run", "look", "--max-turns", "0"),
        ("run", "look", "--no-sandbox", "--keep-sandbox"),
        ("run", "look", "--context", "prod"),
        ("run", "look", "--token-file", "token"),
        ("resume", "nowhere.jsonl"),
    ],
)
def test_what_makes_no_sense_is_a_mistake_of_usage(run: Run, arguments: tuple[str, ...]) -> None:
    assert run("agent", *arguments).exit_code == ExitCode.USAGE


@pytest.mark.slow
def test_a_folder_without_a_cluster_begins_no_session(
    run: Run, tmp_path: Path, model: Callable[..., ScriptedApi]
) -> None:
    model()
    session = tmp_path / "s.jsonl"

    ended = run("--config", tmp_path / "nowhere", "agent", "run", "look", "--session", session)

    assert ended.exit_code == ExitCode.UNAVAILABLE
    assert "agent_tools_lost" in ended.stderr
    assert list(tmp_path.glob("s.jsonl*")) == []


@pytest.mark.slow
@pytest.mark.parametrize(
    ("acts", "options", "code", "exits"),
    [
        ((Says(text="No.", stop="refusal"),), (), "agent_model_refused", 1),
        ((Says(text="Hm", stop="model_context_window_exceeded"),), (), "agent_context_full", 1),
        ((Fails(status=401, kind="authentication_error"),), (), "agent_model_unavailable", 5),
        ((Says(calls=(("status", {}),)),), ("--max-turns", "1"), "agent_budget_spent", 1),
        ((Says(calls=(("status", {}),) * 6),), (), "agent_in_circles", 1),
    ],
)
def test_each_end_that_is_an_error_says_so_in_its_code_and_in_the_session(
    run: Run,
    supply: Path,
    tmp_path: Path,
    model: Callable[..., ScriptedApi],
    acts: tuple[Play, ...],
    options: tuple[str, ...],
    code: str,
    exits: int,
) -> None:
    model(*acts)
    session = tmp_path / "s.jsonl"

    ended = run("--config", supply, "agent", "run", "look", "--session", session, *options)

    assert ended.exit_code == exits
    assert code in ended.stderr
    assert json.loads(session.read_text().splitlines()[-1])["event"] == "ended"
    again = run("agent", "resume", session)
    over = code not in {"agent_budget_spent", "agent_model_unavailable"}
    assert ("agent_session_over" in again.stderr) == over


@pytest.mark.slow
def test_a_sandbox_that_is_kept_is_named_at_the_end_and_is_there(
    run: Run, supply: Path, tmp_path: Path, model: Callable[..., ScriptedApi]
) -> None:
    model(Says(text="I tried."))
    session = tmp_path / "s.jsonl"

    ended = run("--config", supply, "agent", "run", "look", "--session", session, "--keep-sandbox")

    (named,) = re.findall(r"open: +agentctl (sandbox show sandbox:\w{26})", ended.stderr)
    assert ended.exit_code == 0
    assert run("--config", supply, *named.split()).exit_code == 0


@pytest.mark.slow
@pytest.mark.parametrize(("options", "opened"), [((), 1), (("--no-sandbox",), 0)])
def test_a_session_is_on_record_with_its_sandbox_which_is_gone_when_it_is_done(
    run: Run,
    supply: Path,
    tmp_path: Path,
    model: Callable[..., ScriptedApi],
    options: tuple[str, ...],
    opened: int,
) -> None:
    model(Says(text="I tried."))
    session = tmp_path / "s.jsonl"

    ended = run("--config", supply, "agent", "run", "look", "--session", session, *options)

    text = session.read_text()
    assert ended.exit_code == 0
    assert text.count('"tool":"sandbox_open"') == text.count('"tool":"sandbox_close"') == opened
    listed = json.loads(run("--config", supply, "sandbox", "list", "--json").stdout)
    assert listed["sandboxes"] == []


def test_a_session_whose_names_are_gone_does_not_go_on(
    run: Run, tmp_path: Path, model: Callable[..., ScriptedApi]
) -> None:
    model()
    session = tmp_path / "s.jsonl"
    session.write_text(
        '{"format":1,"agentctl":"0","provenance":"recorded","principal":"agent","model":"m"}\n'
        '{"event":"ended","why":"waiting"}\n'
    )

    ended = run("agent", "resume", session)

    assert ended.exit_code == ExitCode.ERRORS
    assert "agent_session_unusable" in ended.stderr


@pytest.mark.slow
def test_a_script_plays_without_a_key_and_its_words_cannot_act_on_the_terminal(
    run: Run, supply: Path, tmp_path: Path
) -> None:
    script = tmp_path / "script.jsonl"
    script.write_text(
        '{"format":1,"agentctl":"0","provenance":"scripted","principal":"agent"}\n'
        '{"n":1,"call":{"tool":"draft_edit","arguments":{"path":"queries/a.gq","content":"// x"}},'
        '"save":{"draft":"/data/draft"}}\n'
        '{"n":2,"call":{"tool":"validate\\u001b]52;c;eA==\\u0007","arguments":{"in":"${draft}"}}}\n'
        '{"n":3,"call":{"tool":"config_read","arguments":{"in":"${draft}","path":"queries/a.gq"}}}\n'
    )

    ended = run("--config", supply, "agent", "run", "--model", f"replay:{script}", "--json")
    told = run("--config", supply, "agent", "run", "--model", f"replay:{script}")

    document = json.loads(ended.stdout)
    assert ended.exit_code == told.exit_code == 0
    assert ended.stderr == ""
    assert (document["ended"], document["turns"], document["calls"]) == ("done", 4, 3)
    assert (
        Path(document["session"]).parent == tmp_path / "home" / ".state" / "agentctl" / "sessions"
    )
    assert "\x1b" not in told.stderr + told.stdout
    last = json.loads(Path(document["session"]).read_text().splitlines()[-3])
    assert last["call"]["arguments"]["in"] == "${id_1}"
    assert last["result"]["data"]["text"] == "// x"


@pytest.mark.slow
def test_ctrl_c_leaves_a_session_that_can_go_on_and_no_process_but_ours_ever_had_the_key(
    supply: Path, tmp_path: Path
) -> None:
    session = tmp_path / "s.jsonl"
    with socket.create_server(("127.0.0.1", 0)) as silent_api:
        silent_api.settimeout(LIMIT_S)
        environment = os.environ | {
            "ANTHROPIC_API_KEY": KEY,
            "ANTHROPIC_BASE_URL": f"http://127.0.0.1:{silent_api.getsockname()[1]}",
        }
        arguments = ("--config", str(supply), "agent", "run", "look", "--session", str(session))
        command = [sys.executable, "-m", "agentctl", *arguments]
        with subprocess.Popen(
            command, env=environment, start_new_session=True, stderr=subprocess.PIPE
        ) as process:
            connection, _ = silent_api.accept()
            servers = children(process.pid)
            seen = [Path(f"/proc/{pid}/environ").read_bytes() for pid in servers]
            os.killpg(process.pid, signal.SIGINT)
            _, told = process.communicate(timeout=LIMIT_S)
            connection.close()

    assert process.returncode == ExitCode.INTERRUPTED
    assert f"agentctl agent resume {session}".encode() in told
    assert json.loads(session.read_text().splitlines()[-1]) == {
        "event": "ended",
        "why": "interrupted",
    }
    assert session.with_name("s.jsonl.live").exists()
    assert servers
    assert not any(KEY.encode() in environ for environ in seen)


def children(pid: int) -> list[int]:
    listed = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in listed.split()]


@pytest.mark.slow
@pytest.mark.skipif(not GUIDE.exists(), reason="runs in a checkout, not beside a wheel")
def test_the_commands_of_the_guide_end_as_it_says(
    run: Run,
    supply: Path,
    tmp_path: Path,
    model: Callable[..., ScriptedApi],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    assert run("--config", supply, "apply").exit_code == 0
    monkeypatch.chdir(tmp_path)
    gate = {"gate": "graph.supply", "intent": "it is not used", "idempotency_key": "ask-1"}

    def asks(body: dict[str, object]) -> Says:
        found = re.findall(r'\\"draft\\":\\"(\w{26})', json.dumps(body))
        return Says(calls=(("approve", {**gate, "in": found[-1]}),))

    api = model(Says(calls=(("draft_edit", EMPTY),)), asks, Says(text="It waits for you."))
    block = re.findall(r"```sh\n(.*?)```", GUIDE.read_text(encoding="utf-8"), re.DOTALL)
    codes = []
    for line in [line for part in block for line in part.splitlines()]:
        program, *arguments = shlex.split(line)
        if program == "agentctl":
            codes.append(run("--config", supply, *arguments).exit_code)

    assert codes == [ExitCode.WAITING, ExitCode.WAITING, ExitCode.ERRORS]
    assert api.left == 0
    assert KEY not in (tmp_path / "retire.jsonl").read_text()
