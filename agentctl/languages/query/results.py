"""What parsing a query file and checking a query give, without what makes it.

Whoever keeps or reads such results needs neither the parser nor the checker: a look at a folder that
did not change loads none of them.
"""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.query.syntax import QueryDecl
from agentctl.languages.text.addition import Addition


class QueryFile(msgspec.Struct, frozen=True, kw_only=True):
    """What a query file declares."""

    declarations: tuple[QueryDecl, ...]
    """In the file's order, without those of which a mistake has taken something away."""
    diagnostics: tuple[Diagnostic, ...]
    additions: tuple[Addition, ...] = ()
    """Constructs that OmniGraph 0.10 does not have, in the order of the text."""


class CheckedResult(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What a declaration means over a schema; no query exactly where there are errors."""

    query: CheckedQuery | None
    diagnostics: tuple[Diagnostic, ...]
    additions: tuple[Addition, ...] = ()
    """What OmniGraph 0.10 would refuse or take for something else, as far as types tell."""
