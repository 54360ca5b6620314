"""Every case of the corpus is answered exactly as its page says.

A new or changed answer is written with `make snapshots` (or `pytest tests/corpus
--snapshot-update`) and read in the difference before it is committed: the sentence, and its
``accepts:`` and ``refuses:`` lines, are written by hand from the spec and judge the answer.
"""

from difflib import unified_diff
from pathlib import Path

import pytest

from agentctl.testing.corpus.answers import produced
from agentctl.testing.corpus.markdown import Case, read_page, rewrite

PAGES = {p.stem: p for p in sorted(Path(__file__).parent.glob("*.md"))}
CASES = [case for page in PAGES.values() for case in read_page(page)]


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_case_is_answered_as_its_page_says(case: Case, request: pytest.FixtureRequest) -> None:
    answer, texts = produced(case)

    silent = {rule for rule in case.refuses if not raised(rule, answer.rules)}
    assert not silent, f"not raised: {sorted(silent)}\n{texts['diagnostics']}"
    if case.accepts:
        assert not case.accepts & answer.rules, texts["diagnostics"]
        assert not answer.refused, texts["diagnostics"]
    expected = {"diagnostics": ""} | {b.word: b.text for b in case.expected}
    if expected != texts and request.config.getoption("update_snapshots", default=False):
        rewrite(PAGES[case.page], case, texts)
    elif expected != texts:
        pytest.fail(difference(expected, texts), pytrace=False)


def raised(rule: str, rules: frozenset[str]) -> bool:
    """A rule without its suffix word stands for any of them."""
    return rule in rules or any(r.startswith(f"{rule}:") for r in rules)


def difference(expected: dict[str, str], actual: dict[str, str]) -> str:
    lines: list[str] = []
    for word, text in expected.items():
        before, after = text.splitlines(), actual[word].splitlines()
        lines += unified_diff(before, after, f"{word} on the page", f"{word} now", lineterm="", n=2)
    return "\n".join(lines)
