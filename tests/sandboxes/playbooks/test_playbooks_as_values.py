"""Playbooks as YAML and as tasks; runs as a table. Pure."""

import itertools
from typing import Any, get_args

import msgspec
import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.sandbox.playbook_runs import (
    TABLE,
    IllegalStep,
    PlaybookRun,
    RunState,
    RunStatus,
    RunStep,
    StepKind,
    fold,
    key_of,
    reduce,
)
from agentctl.domain.sandbox.playbooks import drafts_of, parameters_missing, render
from agentctl.domain.sandbox.records import Command, Playbook, PlaybookTask
from agentctl.domain.storage.backup import is_backed_up
from agentctl.engine.playbooks import run_key, text_key
from agentctl.testing.sandbox_records import STARTED

STATUSES: tuple[RunStatus, ...] = get_args(RunStatus)
KINDS: tuple[StepKind, ...] = get_args(StepKind)
WRITES = frozenset({"draft_edit", "apply", "load_rows", "mutate", "branch_create"})

TEXTS = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=30)
HOSTILE = st.sampled_from(
    (
        *("yes", "null", "~", "1e3", "0x10", "- a", "a: b", "# no", "<<", "=", "!!python/none x"),
        *("&a *a", "\n", " \n a", "a\n\n", "\ta\n", "\x85\u2028\ufeff", "%YAML 1.1\n---\n"),
        *("' \" \\", "a" * 200, "\x85", "\r\n", "a \nb", "\x1b[0m", "...\n", "? a"),
    )
)
NAMES = TEXTS.filter(bool) | HOSTILE
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXTS
    | HOSTILE,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(NAMES, inner, max_size=4),
    max_leaves=6,
)


def a_playbook(name: str, hosts: str = "cluster") -> Playbook:
    return Playbook(id="p", name=name, hosts=hosts, created_at=STARTED, updated_at=STARTED)


def a_task(name: str, module: str, params: dict[str, Any]) -> PlaybookTask:
    return PlaybookTask(
        id="t", playbook_id="p", name=name, module=module, params=params, created_at=STARTED
    )


@given(NAMES, st.lists(st.tuples(NAMES, st.dictionaries(NAMES, VALUES, max_size=3)), max_size=2))
def test_what_is_rendered_reads_as_the_same_tasks(
    name: str, tasks: list[tuple[str, dict[str, Any]]]
) -> None:
    text = render(a_playbook(name), [a_task(title, "load_rows", p) for title, p in tasks])

    assert yaml.safe_load(text) == [
        {
            "name": name,
            "hosts": "cluster",
            "become": False,
            "tasks": [{"name": title, "load_rows": params} for title, params in tasks],
        }
    ]


def test_lines_stand_as_lines_in_the_form_of_the_seed() -> None:
    shared = {"path": "supply.gq", "content": "query q() {\n  return\n}\n"}
    tasks = [a_task("Wörds", "draft_edit", shared), a_task("two", "draft_edit", shared)]

    assert render(a_playbook("notes", "sandbox"), tasks) == (
        "- name: notes\n"
        "  hosts: sandbox\n"
        "  become: false\n"
        "  tasks:\n"
        "  - name: Wörds\n"
        "    draft_edit:\n"
        "      path: supply.gq\n"
        "      content: |\n"
        "        query q() {\n"
        "          return\n"
        "        }\n"
        "  - name: two\n"
        "    draft_edit:\n"
        "      path: supply.gq\n"
        "      content: |\n"
        "        query q() {\n"
        "          return\n"
        "        }\n"
    )


def command(tool: str | None, exit_code: int = 0, **arguments: object) -> Command:
    given = {key.rstrip("_"): value for key, value in arguments.items()}
    return Command(
        id="c",
        sandbox_id="s",
        command=tool or "true",
        tool=tool,
        arguments_json=msgspec.json.encode({"in": "sandbox:s"} | given).decode(),
        exit_code=exit_code,
        started_at=STARTED,
        ended_at=STARTED,
    )


def edited(path: str, exit_code: int = 0) -> Command:
    return command("draft_edit", exit_code, path=path, content="x", old=None, remove=False)


def test_writes_that_worked_become_tasks_without_their_place() -> None:
    commands = [
        edited("a"),
        edited("b", exit_code=1),
        command("plan"),
        command(None),
        command("sandbox_diff"),
        command("sandbox_open"),
        command("apply", plan_id="p", plan_file=None, exact=True, intent="i", idempotency_key="k"),
        command(
            "sandbox_write", graph="g", rows="r", mode="merge", query=None, params={}, branch="m"
        ),
        command("sandbox_write", graph=None, rows=None, query="g.q", params={"a": 1}, branch="m"),
        command("branch_create", graph="g", name="n", intent="i"),
    ]

    assert [(d.module, d.name, d.params) for d in drafts_of(commands, WRITES)] == [
        ("draft_edit", "draft_edit a", {"path": "a", "content": "x", "remove": False}),
        ("apply", "apply", {}),
        ("load_rows", "load_rows g", {"graph": "g", "rows": "r", "mode": "merge", "branch": "m"}),
        ("mutate", "mutate g.q", {"query": "g.q", "params": {"a": 1}, "branch": "m"}),
        ("branch_create", "branch_create g", {"graph": "g", "name": "n"}),
    ]


@pytest.mark.parametrize(
    ("script", "kept"),
    [
        ("a S1 b R1", "a"),
        ("a S1 b R1 c", "ac"),
        ("a S1 b S2 c R1 d", "ad"),
        ("a S1 b S2 c R2 R1 d", "ad"),
        ("a S1 b Rbase c", "c"),
        ("a S1 b R1 c S3 d R3", "ac"),
        ("a Runknown b", "ab"),
    ],
)
def test_what_a_restore_took_back_is_left_out(script: str, kept: str) -> None:
    def one(word: str) -> Command:
        if word[0] == "S":
            return command("sandbox_snapshot", name=word[1:])
        return command("sandbox_restore", name=word[1:]) if word[0] == "R" else edited(word)

    drafts = drafts_of([one(word) for word in script.split()], WRITES)

    assert "".join(d.params["path"] for d in drafts) == kept


def test_tokens_of_secrets_are_found_wherever_they_stand() -> None:
    params = {
        "a": "x [REDACTED_API_KEY_1] y",
        "b": [{"c": "[REDACTED_ENVIRONMENT_2]"}, 3, None],
        "[REDACTED_TOKEN_1]": True,
        "d": "REDACTED",
    }

    assert parameters_missing(params) == ("$.a", "$.b[0].c", "$.[REDACTED_TOKEN_1]")
    assert parameters_missing({"a": ["b", 1]}) == ()


def a_step(state: RunState, kind: StepKind, **more: Any) -> RunStep:
    usual: dict[str, Any] = {
        "n": state.steps + 1,
        "kind": kind,
        "task": state.task,
        "attempt": state.next_attempt if kind == "begin" else state.attempt,
        "at": STARTED,
        "nonce": "x",
    }
    return RunStep(**usual | more)


@pytest.mark.parametrize(("status", "kind"), list(itertools.product(STATUSES, KINDS)))
def test_a_step_follows_where_the_table_says_and_nowhere_else(
    status: RunStatus, kind: StepKind
) -> None:
    attempt = 0 if status in {"ready", "done"} else 2
    state = RunState(status=status, task=0, attempt=attempt, steps=4)

    for tasks in (1, 2):
        after = reduce(state, a_step(state, kind), tasks=tasks)

        wanted = TABLE.get((status, kind))
        if wanted is None:
            assert isinstance(after, IllegalStep)
            assert (after.at, after.kind) == (status, kind)
            continue
        assert isinstance(after, RunState)
        if kind == "succeed":
            assert (after.status, after.task) == ("done" if tasks == 1 else "ready", 1)
        else:
            assert (after.status, after.task) == (wanted, 0)
        assert after.steps == 5


def test_the_table_is_what_a_run_may_do() -> None:
    assert set(TABLE) == {
        ("ready", "begin"),
        ("begun", "begin"),
        ("begun", "succeed"),
        ("begun", "gate"),
        ("begun", "fail"),
        ("waiting", "begin"),
        ("failed", "begin"),
    }


@pytest.mark.parametrize("wrong", [{"n": 4}, {"n": 6}, {"task": 1}, {"attempt": 4}, {"attempt": 1}])
def test_a_step_that_is_not_the_next_is_refused(wrong: dict[str, int]) -> None:
    state = RunState(status="failed", task=0, attempt=2, steps=4)

    assert isinstance(reduce(state, a_step(state, "begin", **wrong), tasks=2), IllegalStep)


@given(st.integers(1, 4), st.lists(st.sampled_from(KINDS), max_size=24))
def test_attempts_have_keys_of_their_own_and_repetitions_the_same(
    tasks: int, kinds: list[StepKind]
) -> None:
    state, known, keys = RunState(), [], []
    for kind in kinds:
        before, step = state, a_step(state, kind)
        after = reduce(state, step, tasks=tasks)
        if isinstance(after, IllegalStep):
            continue
        if kind == "begin":
            key = key_of("r", step.task, step.attempt)
            assert (key in keys) == (before.status == "begun")
            keys.append(key)
        state = after
        known.append(step)

    assert fold(known, tasks=tasks) == state
    assert state.task <= tasks
    assert (state.status == "done") == (state.task == tasks)
    decoded = [msgspec.json.decode(msgspec.json.encode(s), type=RunStep) for s in known]
    assert decoded == known


@given(st.dictionaries(NAMES, VALUES, max_size=3))
def test_a_runs_record_reads_as_it_was_written(params: dict[str, Any]) -> None:
    task = {"id": "t", "name": "n", "module": "m", "params": params}
    record = msgspec.convert(
        {"run": "r", "playbook": "p", "name": "n", "place": "cluster", "by": "a"}
        | {"intent": "i", "at": STARTED, "tasks": [task]},
        PlaybookRun,
    )

    assert msgspec.json.decode(msgspec.json.encode(record), type=PlaybookRun) == record


def test_a_backup_has_the_text_of_a_playbook_and_none_of_its_runs() -> None:
    """A run goes on by the keys of its calls, which no backup has."""
    assert is_backed_up(text_key("p"))
    assert not is_backed_up(run_key("p", "r"))
    assert not is_backed_up("__cluster/playbooks/p/r/00000000000000000001.json")
