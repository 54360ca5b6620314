"""What `in` and `--draft` name: the folder, or a draft over it."""

from typing import Final

FOLDER: Final = "folder"
_DRAFT: Final = "draft:"


def target_of(text: str) -> str:
    """Returns ``folder`` or ``draft:<id>`` for what a caller wrote; whether it exists is not asked."""
    if text in {"cluster", FOLDER}:
        return FOLDER
    return text if text.startswith(_DRAFT) else f"{_DRAFT}{text}"


def draft_of(target: str) -> str | None:
    """Returns the id of the draft that *target* names, or None for the folder."""
    return target.removeprefix(_DRAFT) if target.startswith(_DRAFT) else None


def shown(target: str) -> str:
    """Returns *target* as a caller would write it in `in`."""
    return draft_of(target) or "cluster"
