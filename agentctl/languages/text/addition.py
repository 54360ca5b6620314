"""What a text uses that OmniGraph 0.10 does not have, and what 0.10 would read otherwise.

The parsers and checkers collect these beside the diagnostics: they are no mistakes. `validate
--compat omnigraph-0.10` refuses additions, `lint --from omnigraph-0.10` lists the differences.
Source: languages 3.1, 3.2.
"""

from typing import Literal

import msgspec

from agentctl.diagnostics.span import Span


class Addition(msgspec.Struct, frozen=True, kw_only=True):
    """A construct that agentctl reads otherwise than OmniGraph 0.10 does."""

    kind: Literal["added", "differs"]
    """``added``: 0.10 refuses it. ``differs``: 0.10 takes it, and means something else."""
    feature: str
    """Its stable name in kebab-case, e.g. ``boolean-expression`` or ``bare-variable-result``."""
    where: Span
    message: str
    """One line: what it is here, and what it is in 0.10."""
    remedy: str | None = None
    """How to write it so that both mean the same, where that can be."""
