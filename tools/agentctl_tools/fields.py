"""The argument types that several operations share, each with the words a model or a person reads."""

from typing import Annotated

import msgspec

PAGE_ROWS: int = 20
PAGE_ROWS_MAX: int = 200

In = Annotated[
    str,
    msgspec.Meta(description="Or a draft, or `sandbox:ID`.", min_length=1, max_length=160),
]
Inside = Annotated[str, msgspec.Meta(description="Or `sandbox:ID`.", min_length=1, max_length=160)]
SandboxNamed = Annotated[
    str, msgspec.Meta(description="`sandbox:ID`.", min_length=1, max_length=160)
]
GraphId = Annotated[str, msgspec.Meta(description="Graph id.", min_length=1, max_length=200)]
Branch = Annotated[str, msgspec.Meta(min_length=1, max_length=200)]
Intent = Annotated[str, msgspec.Meta(description="Why; a human reads it.", max_length=2000)]
IdempotencyKey = Annotated[
    str | None,
    msgspec.Meta(
        description="New for each change; a retry with it does it once.",
    ),
]
Limit = Annotated[int, msgspec.Meta(ge=1, le=PAGE_ROWS_MAX)]
Offset = Annotated[int, msgspec.Meta(ge=0)]
