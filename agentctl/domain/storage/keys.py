"""Which keys name an object, and which numbers a numbered object's key holds."""

import re
from typing import Final

from agentctl.ids import numbered

_NUMBERED_NAME: Final = re.compile(r"(\d{20})\.json", re.ASCII)


def is_key(text: str) -> bool:
    """Returns whether *text* may name an object.

    Parts are not empty and do not begin with a dot, so neither ``..`` nor a store's own temporary
    objects can be named; a backslash or NUL is nowhere.
    """
    return (
        bool(text)
        and "\\" not in text
        and "\0" not in text
        and all(part and not part.startswith(".") for part in text.split("/"))
    )


def is_prefix(text: str) -> bool:
    """Returns whether *text* may be listed: empty, or the beginning of some key."""
    return text == "" or is_key(text.removesuffix("/"))


def numbered_key(folder: str, number: int) -> str:
    """Returns the key of object *number* of the log in *folder*, with or without a final slash."""
    return f"{folder.removesuffix('/')}/{numbered(number)}.json"


def number_of(folder: str, key: str) -> int | None:
    """Returns the number of *key* in the log of *folder*, or None where it is another object."""
    name = key.removeprefix(folder.removesuffix("/") + "/")
    match = _NUMBERED_NAME.fullmatch(name)
    return int(match[1]) if match else None
