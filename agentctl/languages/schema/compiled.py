"""What compiling a schema file gives, without what makes it."""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.languages.schema.types import Catalog
from agentctl.languages.text.addition import Addition


class CompiledSchema(msgspec.Struct, frozen=True, kw_only=True):
    """What a schema file means; the first two are None exactly where there are errors."""

    catalog: Catalog | None
    shape_digest: str | None
    """``sha256:`` and the digest that formatting does not move."""
    diagnostics: tuple[Diagnostic, ...]
    additions: tuple[Addition, ...] = ()
    """What OmniGraph 0.10 refuses or reads otherwise, in the order of the text."""
