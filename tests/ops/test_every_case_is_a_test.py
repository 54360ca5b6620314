"""Each of the 24 acceptance cases of ops 6 is a test by its number."""

import re
from pathlib import Path

import pytest

TESTS = Path(__file__).parents[1]


@pytest.fixture(scope="module")
def cases() -> dict[int, list[str]]:
    found: dict[int, list[str]] = {}
    for folder in ("ops", "archive"):
        for path in sorted((TESTS / folder).glob("test_*.py")):
            for name in re.findall(
                r"^(?:async )?def (test_case_\w+)", path.read_text("utf-8"), re.MULTILINE
            ):
                found.setdefault(int(name.split("_")[2]), []).append(name)
    return found


@pytest.mark.parametrize("number", range(1, 25))
def test_a_test_of_each_case_exists(cases: dict[int, list[str]], number: int) -> None:
    assert cases.get(number), f"no test_case_{number:02d}_…"


def test_no_test_is_named_after_a_case_that_is_none(cases: dict[int, list[str]]) -> None:
    assert set(cases) == set(range(1, 25))
