"""Every case of the graph corpus is answered as its page says: by the oracle and by the engine.

`pytest tests/corpus/graph --snapshot-update` writes what the oracle answers into a page; it is read
against `spec/languages.md` before it is committed. Cases that the engine does not run yet are told
and counted as skipped, with the construct.
"""

from pathlib import Path

import pytest

from agentctl.domain.plan.storable import unstorable
from agentctl.graph.runnable import not_runnable
from agentctl.graph.snapshot import Snapshot
from tests.graph.oracle.oracle_asking import (
    Answer,
    Question,
    comparable,
    difference,
    expected_of,
    of_oracle,
    question_of,
)
from tests.graph.oracle.oracle_coverage import everything, features
from tests.graph.oracle.oracle_engine import EXECUTORS, loaded, mutated, of_engine, snapshot_of
from tests.graph.oracle.oracle_pages import Case, read_page, rewrite

PAGES = {p.stem: p for p in sorted(Path(__file__).parent.glob("*.md"))}
CASES = [case for page in PAGES.values() for case in read_page(page)]
RUN = [case for case in CASES if isinstance(question_of(case), Question)]
FINDINGS: dict[str, str] = {}
"""What the engine does not do as the page says, by case: each fails, or is no finding any more."""


def marked(cases: list[Case]) -> list[object]:
    """Returns the cases as parameters, the findings among them as expected failures."""
    return [
        pytest.param(
            case,
            id=str(case),
            marks=[pytest.mark.xfail(strict=True, reason=FINDINGS[str(case)])]
            if str(case) in FINDINGS
            else [],
        )
        for case in cases
    ]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_oracle_answers_a_case_as_its_page_says(
    case: Case, request: pytest.FixtureRequest
) -> None:
    question = question_of(case)

    answer = question if isinstance(question, Answer) else of_oracle(question, seed_of(case))

    if request.config.getoption("update_snapshots", default=False):
        rewrite(PAGES[case.page], case, *written(case, answer))
    else:
        assert comparable(answer, case) == comparable(expected_of(case), case)


@pytest.fixture(scope="module")
def snapshots() -> dict[tuple[str, str], Snapshot]:
    """The graphs of the cases that read, by schema and seed."""
    return {}


@pytest.mark.parametrize("case", marked([c for c in RUN if c.expected.word != "after"]))
async def test_every_executor_answers_a_read_as_its_page_says(
    case: Case,
    snapshots: dict[tuple[str, str], Snapshot],
    tmp_path: Path,
) -> None:
    question = runnable(case)
    if question.mutates:
        graphs = await loaded(tmp_path, case.text("pg"), seed_of(case))
        assert await mutated(tmp_path, graphs, case.text("pg"), question) == expected_of(case)
        return
    key = (case.text("pg"), case.text("seed"))
    if key not in snapshots:
        await loaded(tmp_path, case.text("pg"), seed_of(case))
        snapshots[key] = await snapshot_of(tmp_path, case.text("pg"))

    answers = {
        executor: comparable(await of_engine(snapshots[key], question, executor), case)
        for executor in EXECUTORS
    }

    assert answers == dict.fromkeys(EXECUTORS, comparable(expected_of(case), case))


@pytest.mark.parametrize("case", marked([c for c in RUN if c.expected.word == "after"]))
async def test_the_engine_leaves_what_a_page_says(case: Case, tmp_path: Path) -> None:
    question = runnable(case)
    graphs = await loaded(tmp_path, case.text("pg"), seed_of(case))

    answer = await mutated(tmp_path, graphs, case.text("pg"), question)

    assert answer == expected_of(case)


def test_every_part_of_the_language_has_a_case() -> None:
    covered = {feature for case in CASES for feature in features(case)}

    missing = sorted(everything() - covered)

    print("no case covers:", *missing or ["nothing"], sep="\n  ")  # noqa: T201  # asked for
    assert missing == []


def seed_of(case: Case) -> list[str]:
    return case.asked["seed"].lines if "seed" in case.asked else []


def runnable(case: Case) -> Question:
    """Returns the question of a case; what the engine does not do yet is skipped, by name."""
    question = question_of(case)
    assert isinstance(question, Question)
    missing = [u.feature for u in unstorable(question.catalog)]
    if not question.mutates:
        missing += not_runnable(question.checked)
    if missing:
        pytest.skip(f"not yet: {', '.join(missing)}")
    return question


def written(case: Case, answer: Answer) -> tuple[str, str]:
    """Returns an answer as its block: the options and the text."""
    if answer.refused is not None:
        assert case.expected.word == "refused", answer
        return "", "\n".join(answer.refused)
    if answer.rows is not None:
        assert case.expected.word == "rows", answer
        return case.expected.options, "\n".join(answer.rows)
    assert answer.after is not None
    assert answer.affected is not None
    assert case.expected.word == "after", answer
    counts = "nodes={} edges={}".format(*answer.affected)
    return counts, "\n".join(difference(case, answer.after))
