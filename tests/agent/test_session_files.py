"""What a session file may hold: names for ids, nothing secret, whole lines, one writer."""

from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.faces.agent.lines import (
    Asked,
    Ended,
    Fault,
    Opaque,
    Recorded,
    Resumed,
    ToolUse,
    Turn,
    Usage,
    Words,
    decode_line,
    encode_line,
    read_session,
)
from agentctl.faces.agent.model import Reply
from agentctl.faces.agent.names import Names
from agentctl.faces.agent.redaction import Redactor, secrets_of
from agentctl.faces.agent.session_file import SessionFile, create, live_path, read_file, reopen
from agentctl.faces.agent.streaming import Assembly
from agentctl_evals.tape import Expectation, Header, Step, ToolCall, read_tape

HEADER = Header(format=1, agentctl="0", provenance="recorded", principal="agent:x", model="m")
ULID = "01M7ZFAN7J1EC84SFMPP1KYPMR"
OP = "qi4EdRHz:01a1fef5-51a1-7634-8786-a97a400f9efd"
LINES = (
    Asked(by="human", text="reach it"),
    Turn(
        turn=1,
        blocks=(
            Words(text="so"),
            ToolUse(tool="status"),
            ToolUse(tool="plan", malformed="{"),
            Opaque(block={"type": "thinking"}),
        ),
        stop="tool_use",
        usage=Usage(input=1, output=2, cache_read=3, cache_written=4),
    ),
    Fault(turn=1, attempt=1, kind="overloaded", status=529, retry_in_s=1),
    Fault(turn=1, attempt=2, kind="cut"),
    Step(n=1, call=ToolCall(tool="status"), expect=Expectation(is_error=False), result={"ok": 1}),
    Ended(why="budget", budget="turns"),
    Resumed(budget={"turns": 9}),
    Ended(why="done"),
)


@pytest.mark.parametrize("line", LINES, ids=lambda line: type(line).__name__)
def test_a_line_is_read_as_it_was_written(line: Any) -> None:
    assert decode_line(encode_line(line)) == line
    assert encode_line(decode_line(encode_line(line))) == encode_line(line)


def test_a_session_is_a_tape_of_its_calls() -> None:
    data = b"".join(encode_line(line) + b"\n" for line in (HEADER, *LINES))

    tape, problems = read_tape(data, file="s")

    assert problems == ()
    assert tape is not None
    assert [step.call.tool for step in tape.steps] == ["status"]


def test_a_line_that_a_crash_cut_off_is_left_out_and_any_other_fault_is_named() -> None:
    whole = encode_line(HEADER) + b"\n" + encode_line(LINES[0]) + b"\n"

    torn = read_session(whole + b'{"event":"tu', file="s")
    broken = read_session(whole + b'{"event":"other"}\n', file="s")

    assert isinstance(torn, Recorded)
    assert torn.lines == LINES[:1]
    assert torn.size_bytes == len(whole)
    assert isinstance(broken, Diagnostic)
    assert (broken.code, broken.path) == ("agent_session_unusable", "s:3")


@pytest.mark.parametrize(
    "value", [ULID, OP, "a" * 64, "z6Mk" + "x" * 44, "2026-11-21T01:02:03.004Z"]
)
def test_what_differs_from_world_to_world_gets_a_name_and_comes_back(value: str) -> None:
    names = Names({})
    text = f"see agentctl://op/{value}, and {value}"

    written = names.write({"a": [text], "b": value}, learn=True)

    assert value not in str(written)
    assert names.fill(written) == {"a": [text], "b": value}


def test_the_folder_and_the_principal_have_names_and_a_user_only_where_it_is_the_whole() -> None:
    names = Names({"folder": "/tmp/x", "principal": "agent:root", "operator": "root"})

    written = names.write(
        ["--config /tmp/x", "/tmp/xy", "agent:root", "root", "storage root"], learn=True
    )

    assert written == [
        "--config ${folder}",
        "/tmp/xy",
        "${principal}",
        "${operator}",
        "storage root",
    ]


def test_what_a_model_makes_up_gets_no_name() -> None:
    assert Names({}).write(f"my key {ULID}", learn=False) == f"my key {ULID}"


@given(st.text(alphabet="${}abcdolr_1"), st.text(alphabet="${}abcdolr_1"))
def test_a_reference_that_somebody_else_wrote_stays_what_it_is(one: str, other: str) -> None:
    names = Names({})
    names.write(ULID, learn=True)
    value = {"x": one, "y": [other, f"${{id_1}}{one}", ULID]}

    assert names.fill(names.write(value, learn=False)) == value


@pytest.mark.parametrize(
    "secret",
    [
        "sk-ant-api03-" + "Ab3" * 20,
        "ghp_" + "a1B2" * 9,
        "AKIA" + "ABCD1234" * 2,
        "-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl\n-----END OPENSSH PRIVATE KEY-----",
        "s3cr3t-Of-This-Machine",
        "aB3" * 15,
    ],
)
def test_no_secret_of_a_known_form_and_none_of_this_process_passes(secret: str) -> None:
    redactor = Redactor(("s3cr3t-Of-This-Machine",))

    cleaned = redactor.clean(
        {"text": f"it is {secret}, see", "list": [{"deep": secret}], secret: 1}
    )

    assert secret not in str(cleaned)
    assert redactor.clean(cleaned) == cleaned


@pytest.mark.parametrize(
    "text",
    [
        "Authorization: Bearer abcdefgh1234",
        "api_key: hunter2hunter2",
        "+    password: 'hunter2hunter2'",
        "TOKEN=hunter2hunter2",
        "postgres://me:hunter2hunter2@host/db",
    ],
)
def test_what_stands_under_a_name_that_promises_a_secret_goes(text: str) -> None:
    cleaned = str(Redactor(()).clean(f"a: 1\n{text}\nb: 2"))

    assert "hunter2hunter2" not in cleaned
    assert "abcdefgh1234" not in cleaned
    assert cleaned.startswith("a: 1\n")
    assert cleaned.endswith("\nb: 2")


@pytest.mark.parametrize(
    "text", ["api_key: ${OPENAI_KEY}", "a" * 64, "query token_count() { return 1 }", ULID, OP]
)
def test_what_is_no_secret_stays(text: str) -> None:
    assert Redactor(()).clean(text) == text


def test_the_variables_that_promise_a_secret_are_known() -> None:
    environ = {"ANTHROPIC_API_KEY": "k" * 20, "HOME": "/home/somebody", "DB_PASSWORD": "short"}

    assert secrets_of(environ) == ("k" * 20,)


def opened(path: Path) -> SessionFile:
    made = create(path)
    assert isinstance(made, SessionFile)
    return made


def test_a_session_is_never_written_over_and_by_one_process_at_a_time(tmp_path: Path) -> None:
    path = tmp_path / "deep" / "s.jsonl"
    file = opened(path)
    file.append(encode_line(HEADER))
    file.keep({"id_1": ULID})

    again, beside = create(path), reopen(path)

    assert isinstance(again, Diagnostic)
    assert again.code == "agent_session_exists"
    assert isinstance(beside, Diagnostic)
    assert "another process" in beside.message
    assert path.stat().st_mode & 0o777 == live_path(path).stat().st_mode & 0o777 == 0o600
    file.close()


def test_a_session_goes_on_behind_its_last_whole_line(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    file = opened(path)
    file.append(encode_line(HEADER))
    file.keep({"id_1": ULID})
    file.close()
    with path.open("ab") as torn:
        torn.write(b'{"event":"as')

    found = reopen(path)
    assert not isinstance(found, Diagnostic)
    found[0].append(encode_line(LINES[0]))
    found[0].close()

    read = read_file(path)
    assert isinstance(read, Recorded)
    assert read.lines == LINES[:1]
    assert found[2] == {"id_1": ULID}


def test_without_what_its_names_stand_for_that_is_told(tmp_path: Path) -> None:
    path = tmp_path / "s.jsonl"
    file = opened(path)
    file.append(encode_line(HEADER))
    file.close()

    found = reopen(path)

    assert not isinstance(found, Diagnostic)
    assert found[2] is None
    found[0].close()


@pytest.mark.parametrize("line", [b"[" * 100_000, b'{"event":1}', b'{"n":1}', b"\xff", b'""'])
def test_a_line_of_anything_is_refused_with_its_place(line: bytes) -> None:
    found = read_session(encode_line(HEADER) + b"\n" + line + b"\n", file="s")

    assert isinstance(found, Diagnostic)
    assert found.path == "s:2"


EVENTS = (
    {"type": "message_start", "message": {"usage": {"input_tokens": 1}}},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "tool_use", "name": "x"}},
    {
        "type": "content_block_delta",
        "index": 0,
        "delta": {"type": "input_json_delta", "partial_json": "{}"},
    },
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "\ud83d"}},
    {"type": "content_block_delta", "index": 1, "delta": {"type": "text_delta", "text": "\ude00"}},
    {"type": "content_block_stop", "index": 0},
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": None},
    {"type": "message_stop"},
)


def test_a_character_that_came_in_two_halves_is_one() -> None:
    assembly = Assembly()
    for event in EVENTS:
        assembly.take(event)

    reply = assembly.result()

    assert isinstance(reply, Reply)
    assert reply.blocks == (ToolUse(tool="x"), Words(text="\U0001f600"))


NAMES = st.sampled_from(("type", "text", "input_tokens", "usage", "name", "input", "signature"))
HALVES = st.text(st.characters(), max_size=5) | st.sampled_from(("\ud83d", "\ude00", "text"))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | HALVES,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(HALVES | NAMES, inner, max_size=3),
    max_leaves=5,
)


@given(
    st.lists(
        st.sampled_from(EVENTS)
        | st.builds(
            lambda event, key, value: {**event, key: value},
            st.sampled_from(EVENTS),
            st.sampled_from(("message", "index", "content_block", "delta", "usage", "type")),
            JSON,
        ),
        max_size=12,
    )
)
def test_a_stream_of_anything_gives_what_a_session_can_hold(events: list[dict[str, Any]]) -> None:
    assembly = Assembly()
    for event in events:
        assembly.take(event)

    reply = assembly.result()

    if isinstance(reply, Reply):
        turn = Turn(turn=1, blocks=reply.blocks, stop=reply.stop, usage=reply.usage)
        assert encode_line(decode_line(encode_line(turn))) == encode_line(turn)
    else:
        assert reply.kind == "cut"


@pytest.mark.parametrize(
    "event",
    [
        {"type": "content_block_start", "index": "0", "content_block": {"type": "text"}},
        {"type": "content_block_start", "index": 0},
        {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": 5}},
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": None},
        },
        {"type": "message_delta", "delta": {"stop_reason": 5}},
        {"type": "message_start", "message": None},
    ],
)
def test_an_event_that_lacks_what_its_type_promises_breaks_the_reply(event: dict[str, Any]) -> None:
    assembly = Assembly()
    for one in (*EVENTS[:6], event, *EVENTS[6:]):
        assembly.take(one)

    assert getattr(assembly.result(), "kind", None) == "cut"


def test_a_stream_of_anything_gives_a_reply_or_says_that_it_was_cut() -> None:
    assembly = Assembly()
    for event in (
        {"type": "ping"},
        {"type": "content_block_delta", "index": 3, "delta": {"type": "text_delta", "text": "a"}},
        {"type": "content_block_delta", "index": 3, "delta": {"type": "new_delta"}},
        {"type": "message_delta", "delta": {"stop_reason": None}},
        {"type": "message_stop"},
    ):
        assembly.take(event)

    assert getattr(assembly.result(), "kind", None) == "cut"
