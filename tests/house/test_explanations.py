"""Every code and every rule is explained, and some test raises it. Source: issue 3, item 5."""

import ast
import re
from pathlib import Path

import pytest

from agentctl.diagnostics.codes import CODES
from agentctl.diagnostics.explanations import EXPLANATIONS
from agentctl.views.rules import RULES, SECTIONS

TESTS = Path(__file__).parents[1]
CODE_ROOMS = ("agentctl", "tools", "tui", "evals")
WORDS_MIN = 15

needs_checkout = pytest.mark.skipif(
    not (TESTS.parent / "pyproject.toml").exists(), reason="runs in a checkout, not beside a wheel"
)


def strings_of(text: str) -> set[str]:
    """The string literals of a module."""
    return {
        node.value
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Constant) and isinstance(node.value, str)
    }


def words_of(texts: set[str]) -> set[str]:
    return {word for text in texts for word in re.findall(r"[a-z][a-z0-9_]+", text)}


def test_every_code_has_its_sentence_and_its_paragraph() -> None:
    assert set(EXPLANATIONS) == set(CODES)
    short = [name for name, told in EXPLANATIONS.items() if len(told.split()) < WORDS_MIN]
    assert short == []
    unended = [
        name for name, code in CODES.items() if not code.about.rstrip().endswith((".", "]'"))
    ]
    assert unended == []


def test_a_paragraph_is_one_paragraph_and_at_most_one_example() -> None:
    for name, told in EXPLANATIONS.items():
        paragraph, _, example = told.partition("\n\n")
        assert "\n" not in paragraph, name
        assert all(line.startswith("    ") for line in example.splitlines() if line), name


def test_no_paragraph_only_repeats_the_sentence() -> None:
    repeated = [name for name, told in EXPLANATIONS.items() if told == CODES[name].about]

    assert repeated == []


@needs_checkout
def test_every_code_is_raised_somewhere_or_is_kept_for_the_specifications_sake() -> None:
    raised: set[str] = set()
    for room in CODE_ROOMS:
        for path in (TESTS.parent / room).rglob("*.py"):
            if path.name not in {"codes.py", "exit_codes.py"} and "explained" not in path.parts:
                raised |= strings_of(path.read_text(encoding="utf-8"))

    assert sorted(set(CODES) - raised) == []


@needs_checkout
def test_every_code_that_is_raised_occurs_in_a_test_or_in_the_corpus() -> None:
    tested: set[str] = set()
    for path in TESTS.rglob("*.py"):
        if path != Path(__file__) and path.name != "test_exit_codes.py":
            tested |= words_of(strings_of(path.read_text(encoding="utf-8")))
    for path in (TESTS / "corpus").rglob("*.md"):
        tested |= words_of({path.read_text(encoding="utf-8")})

    assert sorted(set(CODES) - tested) == []


RULE_NAME = re.compile(
    r"(?:PG|GQ)[0-9]{3}|T[0-9]+(?::[a-z]+(?:-[a-z]+)*)?|Q000|L[0-9]{3}|OG-[A-Z]{2}-[0-9]{3}"
)
ABOUT_WORDS_MIN = 8


def test_every_rule_stands_in_one_registry_under_its_own_name() -> None:
    named = [name for _, rules in SECTIONS for name in rules]

    assert sorted(named) == sorted(set(named))
    assert [name for name, rule in RULES.items() if rule.name != name] == []
    assert [name for name in RULES if not RULE_NAME.fullmatch(name)] == []


def test_every_rule_has_its_line_and_its_paragraph() -> None:
    for name, rule in RULES.items():
        assert "\n" not in rule.title, name
        assert not rule.title.endswith("."), name
        assert len(rule.about.split()) >= ABOUT_WORDS_MIN, name
        paragraph, _, example = rule.about.partition("\n\n")
        assert "\n" not in paragraph, name
        assert all(line.startswith("    ") for line in example.splitlines() if line), name


def rules_in(texts: list[str]) -> set[str]:
    return {name for text in texts for name in RULE_NAME.findall(text)}


@needs_checkout
def test_every_rule_that_is_raised_is_registered() -> None:
    """Of those that are named where they are raised; numbers of the grammar are the corpus's."""
    rooms = ("agentctl/languages", "agentctl/domain/plan")
    named = rules_in(
        [
            word
            for room in rooms
            for path in (TESTS.parent / room).rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
            if isinstance(node, ast.Constant) and isinstance(node.value, str)
            for word in re.findall(r"^\S+$", node.value)
            if RULE_NAME.fullmatch(word)
        ]
    )

    numbers = {name.partition(":")[0] for name in RULES}

    assert sorted(named - set(RULES) - numbers) == []


@needs_checkout
def test_every_rule_occurs_in_a_test_or_in_the_corpus() -> None:
    files = [p for p in TESTS.rglob("*.py") if p != Path(__file__)]
    files += (TESTS / "corpus").rglob("*.md")
    tested = rules_in([path.read_text(encoding="utf-8") for path in files])

    assert sorted(set(RULES) - tested) == []
