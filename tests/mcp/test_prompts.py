"""Prompts are files that a person can read, by name, with slots that must all be filled."""

from importlib.resources import files
from pathlib import Path

import pytest

from agentctl.faces.prompting.reader import PromptError, fill_prompt, prompt_names, read_prompt

WITH_SLOTS = {
    "agent/ask_approval": {"resource": "graph.old"},
    "agent/cut": {},
    "agent/interrupted": {},
    "agent/malformed": {},
    "agent/no_sandbox": {"why": "Refused: sandbox_over_quota."},
    "agent/operate": {},
    "agent/repeated": {"tool": "status", "count": "3"},
    "agent/resume": {"resource": "graph.old", "request": "01JD", "standing": "approved"},
    "agent/run": {},
    "agent/sandbox": {"sandbox": "sandbox:01JD", "draft": "draft:01JD"},
    "agent/sandbox_gone": {"sandbox": "sandbox:01JD"},
    "agent/unanswered": {},
}


@pytest.mark.parametrize("name", prompt_names())
def test_every_prompt_says_in_its_first_line_what_it_is_for(name: str) -> None:
    role, leaf = name.split("/")
    text = files("agentctl_prompts").joinpath(role, f"{leaf}.md").read_text(encoding="utf-8")

    assert text.startswith("<!-- How an agent ")
    assert read_prompt(name).purpose in text.splitlines()[0]


def test_every_prompt_is_filled_by_a_test_and_leaves_no_slot_open() -> None:
    assert set(prompt_names()) == set(WITH_SLOTS)
    for name, values in WITH_SLOTS.items():
        filled = fill_prompt(read_prompt(name), values)
        assert "{{" not in filled
        assert all(value in filled for value in values.values())


@pytest.mark.parametrize(
    "name",
    [
        "",
        "agent",
        "agent/none",
        "../agent/operate",
        "agent/../agent/operate",
        "agent/operate.md",
        "/etc/passwd",
    ],
)
def test_an_unknown_name_is_refused_with_the_known_ones(name: str) -> None:
    with pytest.raises(PromptError) as refused:
        read_prompt(name)

    assert refused.value.diagnostic.code == "prompt_not_found"
    for known in prompt_names():
        assert known in (refused.value.diagnostic.remedy or "")


@pytest.mark.parametrize("values", [{}, {"resource": "x", "more": "y"}, {"resourse": "x"}])
def test_slots_are_filled_exactly(values: dict[str, str]) -> None:
    with pytest.raises(PromptError) as refused:
        fill_prompt(read_prompt("agent/ask_approval"), values)

    assert refused.value.diagnostic.code == "prompt_slots_mismatch"


def test_what_is_filled_in_cannot_act_or_open_a_slot() -> None:
    filled = fill_prompt(
        read_prompt("agent/ask_approval"), {"resource": "graph.old\x1b]52;c;eA==\x07 {{operator}}"}
    )

    assert "\x1b" not in filled
    assert "‹U+001B›" in filled


def test_no_prompt_text_stands_in_python() -> None:
    package = files("agentctl_prompts")

    assert [p.name for p in package.iterdir() if p.name.endswith(".py")] == ["__init__.py"]
    assert Path(str(package)).is_dir()
