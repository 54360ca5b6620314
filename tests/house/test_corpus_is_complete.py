"""The corpus shows every production, rule, code and migration step, right and wrong.

The counts are printed, and what is missing is listed. `python -m agentctl.testing.corpus.coverage
tests/corpus` prints the same.
"""

import sys
from pathlib import Path

import pytest

from agentctl.testing.corpus.coverage import measure
from agentctl.testing.corpus.markdown import read_page

PAGES = Path(__file__).parents[1] / "corpus"


def test_every_construct_is_shown_right_and_wrong(capsys: pytest.CaptureFixture[str]) -> None:
    coverage = measure(case for page in sorted(PAGES.glob("*.md")) for case in read_page(page))

    with capsys.disabled():
        sys.stdout.write(f"\n{coverage}\n")
    assert coverage.missing == ()
