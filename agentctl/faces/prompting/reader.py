"""Reads a prompt of `agentctl_prompts` by its name and fills its slots.

A prompt is a Markdown file; its first line says what it is for, in an HTML comment; a slot is
``{{name}}``. Every slot must be filled and nothing else may be given.
"""

import re
from collections.abc import Mapping, Sequence
from importlib.resources import files
from typing import Final

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.foreign import Foreign, show

VALUE_CELLS_MAX: Final = 200

_SLOT: Final = re.compile(r"\{\{([a-z_]+)\}\}", re.ASCII)
_FIRST_LINE: Final = re.compile(r"<!-- (.+) -->")
_NAME: Final = re.compile(r"[a-z_]+/[a-z_]+", re.ASCII)


class PromptError(LookupError):
    """There is no such prompt, or its slots are not filled as they must be."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(f"{diagnostic.message}; {diagnostic.remedy}")
        self.diagnostic = diagnostic


class Prompt(msgspec.Struct, frozen=True, kw_only=True):
    """One prompt as it is stored."""

    name: str
    """``<role>/<purpose>``."""
    purpose: str
    slots: tuple[str, ...]
    """Sorted."""
    text: str
    """Without the first line."""


def prompt_names() -> tuple[str, ...]:
    """Returns the names of all prompts, sorted."""
    root = files("agentctl_prompts")
    return tuple(
        sorted(
            f"{role.name}/{leaf.name.removesuffix('.md')}"
            for role in root.iterdir()
            if role.is_dir()
            for leaf in role.iterdir()
            if leaf.name.endswith(".md")
        )
    )


def read_prompt(name: str, *, among: Sequence[str] | None = None) -> Prompt:
    """Returns the prompt *name*, e.g. ``agent/operate``.

    Args:
        name: of the prompt.
        among: those that there are for whoever asks; None: all.

    Raises:
        PromptError: there is none of that name; the message lists those there are.
    """
    there_are = prompt_names() if among is None else among
    if _NAME.fullmatch(name) is None or name not in there_are:
        known = f"There are: {', '.join(there_are)}."
        raise PromptError(
            error("prompt_not_found", name, "there is no prompt of that name", remedy=known)
        )
    role, leaf = name.split("/")
    source = files("agentctl_prompts").joinpath(role, f"{leaf}.md")
    first, _, rest = source.read_text(encoding="utf-8").partition("\n")
    purpose = _FIRST_LINE.fullmatch(first)
    assert purpose is not None, f"{name}: the first line says what the prompt is for"
    return Prompt(
        name=name,
        purpose=purpose[1],
        slots=tuple(sorted(set(_SLOT.findall(rest)))),
        text=rest.lstrip("\n"),
    )


def fill_prompt(prompt: Prompt, values: Mapping[str, str]) -> str:
    """Returns the text with every slot filled; a value is foreign, so it is made safe and short.

    Raises:
        PromptError: a slot is missing, or a value has no slot.
    """
    if set(values) != set(prompt.slots):
        wanted = ", ".join(prompt.slots) or "nothing"
        given = ", ".join(sorted(values)) or "nothing"
        told = f"the prompt was given {given}"
        raise PromptError(
            error("prompt_slots_mismatch", prompt.name, told, remedy=f"It takes: {wanted}.")
        )
    return _SLOT.sub(
        lambda slot: show(Foreign(values[slot[1]]), limit=VALUE_CELLS_MAX), prompt.text
    )
