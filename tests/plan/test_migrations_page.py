"""The page about migrations has every step and every rule."""

import re
from pathlib import Path

from agentctl.domain.plan.refusals import MIGRATION_RULES
from agentctl.views.migration_text import STEP_LINES

PAGE = (Path(__file__).parents[2] / "docs/guides/migrations.md").read_text(encoding="utf-8")


def test_every_step_has_a_line() -> None:
    listed = {*re.findall(r"^\| `([a-z_]+)` \|", PAGE, re.MULTILINE)}

    assert listed == {*STEP_LINES} - {"unsupported_change"}


def test_every_rule_is_explained() -> None:
    assert {*re.findall(r"OG-[A-Z]{2}-[0-9]{3}", PAGE)} == {*MIGRATION_RULES}
