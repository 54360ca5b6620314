"""Values that a command takes as JSON."""

import json
from typing import Any

import click


def object_of(text: str, option: str) -> dict[str, Any]:
    """Returns the JSON object that *text* is.

    Raises:
        click.BadParameter: it is none; *option* is named.
    """
    try:
        value = json.loads(text)
    except ValueError as invalid:
        raise click.BadParameter(str(invalid), param_hint=option) from invalid
    if not isinstance(value, dict):
        msg = "it must be a JSON object"
        raise click.BadParameter(msg, param_hint=option)
    return value
