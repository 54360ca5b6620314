"""Each cell of columns A and B of the table in trust.md has a red-team test by its name."""

import re
from pathlib import Path

import pytest

HERE = Path(__file__).parent
PROMISES = {
    "1": "nothing irreversible or authority-widening without a human decision",
    "2": "a decision was made by the enrolled key",
    "3": "tampering with history is found later",
    "4": "secrets stay out of reach",
}
"""The rows, as the guide about set-ups tells them."""


@pytest.mark.parametrize("column", ["a", "b"])
@pytest.mark.parametrize("row", PROMISES)
def test_every_cell_has_a_test_by_name(column: str, row: str) -> None:
    text = (HERE / f"test_column_{column}.py").read_text(encoding="utf-8")

    assert re.search(rf"def test_cell_{column}{row}_", text), PROMISES[row]


def test_the_guide_tells_the_same_promises_and_no_more() -> None:
    page = HERE.parents[1] / "docs" / "guides" / "setups.md"
    if not page.exists():
        pytest.skip("runs in a checkout")
    rows = re.findall(
        r"^\| ([a-z][^|]*) \| holds \| ", page.read_text(encoding="utf-8"), re.MULTILINE
    )

    assert rows == list(PROMISES.values()), "column A holds, and each row of the table is there"
