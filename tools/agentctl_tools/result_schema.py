"""The JSON Schema of a type that an operation answers with."""

from types import UnionType
from typing import Any, Final, get_args

import msgspec

ANYTHING: Final = {"description": "any value"}
"""For what has no type of its own: values of rows, and what a face adds."""


def result_schema(kind: Any) -> dict[str, Any]:  # noqa: ANN401  # a type
    """Returns the schema of *kind*, with its definitions; of a union one of each of its members."""
    kinds = get_args(kind) if isinstance(kind, UnionType) else (kind,)
    shapes, definitions = msgspec.json.schema_components(
        kinds, schema_hook=lambda _: ANYTHING, ref_template="#/$defs/{name}"
    )
    shape = shapes[0] if len(shapes) == 1 else {"anyOf": list(shapes)}
    return {**shape, "$defs": definitions}
