"""Every case of the graph corpus is answered as its page says: by the oracle and by the engine.

`pytest tests/corpus/graph --snapshot-update` writes what the oracle answers into a page; it is read
against `spec/languages.md` before it is committed. Cases that the engine does not run yet are told
and counted as skipped, with the construct.
"""

from pathlib import Path

import pytest

from tests.graph.oracle.oracle_asking import (
    Answer,
    comparable,
    difference,
    expected_of,
    of_oracle,
    question_of,
)
from tests.graph.oracle.oracle_pages import Case, read_page, rewrite

PAGES = {p.stem: p for p in sorted(Path(__file__).parent.glob("*.md"))}
CASES = [case for page in PAGES.values() for case in read_page(page)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_the_oracle_answers_a_case_as_its_page_says(
    case: Case, request: pytest.FixtureRequest
) -> None:
    question = question_of(case)
    seed = case.asked["seed"].lines if "seed" in case.asked else []

    answer = question if isinstance(question, Answer) else of_oracle(question, seed)

    if request.config.getoption("update_snapshots", default=False):
        rewrite(PAGES[case.page], case, *written(case, answer))
    else:
        assert comparable(answer, case) == comparable(expected_of(case), case)


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
    return "nodes={} edges={}".format(*answer.affected), "\n".join(
        difference(case, answer.after)
    )
