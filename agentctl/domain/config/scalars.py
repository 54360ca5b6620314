"""Which type a plain scalar has in YAML 1.2 core, as serde_yaml 0.9 resolves it.

Source: control-plane 1.9.
"""

import math
import re
from typing import Final, Literal

from agentctl.domain.config.yaml_tree import ListNode, MapNode, Node, ScalarNode

ScalarType = Literal["null", "boolean", "integer", "number", "text"]

_NULLS: Final = frozenset({"", "~", "null", "Null", "NULL"})
_BOOLEANS: Final = {
    "true": True, "True": True, "TRUE": True, "false": False, "False": False, "FALSE": False,
}  # fmt: skip
_PADDED: Final = re.compile(r"[-+]?0[0-9]+", re.ASCII)
_INTEGER: Final = re.compile(r"[-+]?(?:[0-9]+|0x[0-9a-fA-F]+|0o[0-7]+|0b[01]+)", re.ASCII)
_NUMBER: Final = re.compile(
    r"[-+]?(?:(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][-+]?[0-9]+)?|\.(?:inf|Inf|INF))"
    r"|\.(?:nan|NaN|NAN)",
    re.ASCII,
)


def scalar_type(node: ScalarNode) -> ScalarType:
    """Returns what *node* is; a quoted scalar and a padded number such as ``007`` are text."""
    kind: ScalarType = "text"
    if not node.plain:
        return kind
    if node.text in _NULLS:
        kind = "null"
    elif node.text in _BOOLEANS:
        kind = "boolean"
    elif _PADDED.fullmatch(node.text):
        kind = "text"
    elif _INTEGER.fullmatch(node.text):
        kind = "integer"
    elif _NUMBER.fullmatch(node.text):
        kind = "number"
    return kind


def boolean_value(node: ScalarNode) -> bool | None:
    """Returns the boolean that *node* is, None where it is none; ``yes`` and ``on`` are text."""
    return _BOOLEANS.get(node.text) if node.plain else None


def integer_value(node: ScalarNode) -> int | None:
    """Returns the integer that *node* is, None where it is none."""
    if scalar_type(node) != "integer" or len(node.text) > 40:
        return None
    sign = -1 if node.text.startswith("-") else 1
    return sign * int(node.text.lstrip("+-"), 0)


def json_value(node: Node) -> object:
    """Returns *node* as JSON has it.

    Raises:
        ValueError: A number in it is none of JSON; the message says which, for "holds …".
    """
    match node:
        case ListNode():
            return [json_value(item) for item in node.items]
        case MapNode():
            return {entry.key.text: json_value(entry.value) for entry in node.entries}
        case ScalarNode():
            return _json_scalar(node)


def _json_scalar(node: ScalarNode) -> object:
    kind = scalar_type(node)
    if kind == "null":
        return None
    if kind == "boolean":
        return boolean_value(node)
    if kind == "integer":
        number = integer_value(node)
        if number is None:
            msg = "an integer of too many digits"
            raise ValueError(msg)
        return number
    if kind == "number":
        named = node.text.lower().lstrip("+-") in {".inf", ".nan"}
        value = math.inf if named else float(node.text)
        if not math.isfinite(value):
            msg = f"`{node.text}`, which is no number of JSON"
            raise ValueError(msg)
        return value
    return node.text
