"""What lint says of the query files of a folder, in the form of OmniGraph 0.10 and as diagnostics.

`QueryLintOutput` is the document that `omnigraph lint --json` prints for one file; fields that 0.10
leaves out when they are empty are left out here too. Source: languages 2.5, 2.7.
"""

from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.languages.query.descriptor import Descriptor
from agentctl.languages.query.plan import Fact
from agentctl.languages.text.addition import Addition

Status = Literal["ok", "error"]
DOES_NOT_PARSE: Final = "Q000"


class SchemaSource(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What the queries were checked over."""

    kind: Literal["file", "graph"]
    path: str | None = None
    uri: str | None = None


class OperationFacts(msgspec.Struct, frozen=True, kw_only=True):
    """What a query gives back, and which types it reads and writes; all sorted."""

    result: tuple[Descriptor, ...]
    """In order of the columns."""
    reads: tuple[Fact, ...]
    writes: tuple[Fact, ...]


class QueryReport(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One query of a file."""

    name: str
    kind: Literal["read", "mutation"]
    status: Status
    warnings: tuple[str, ...] = ()
    error: str | None = None
    operation: OperationFacts | None = None


class LintFinding(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Something about the file or its schema that is worth a look."""

    severity: Literal["error", "warning", "info"]
    code: str
    message: str
    type_name: str | None = None
    property: str | None = None
    query_names: tuple[str, ...] = ()


class QueryLintOutput(msgspec.Struct, frozen=True, kw_only=True):
    """What lint says of one query file over one schema."""

    status: Status
    schema_source: SchemaSource
    query_path: str
    queries_processed: int
    errors: int
    warnings: int
    infos: int
    results: tuple[QueryReport, ...]
    findings: tuple[LintFinding, ...]
    """Sorted by severity, type, property and message."""


class LintResult(msgspec.Struct, frozen=True, kw_only=True):
    """`lint`: every query file of the folder, and all mistakes that validation finds besides."""

    ok: bool
    files: tuple[QueryLintOutput, ...]
    """Sorted by schema and path; a file that two graphs use is there for each."""
    diagnostics: tuple[Diagnostic, ...]
    """Of validation and of lint, with places; sorted."""
    differences: tuple[Addition, ...] = ()
    """What OmniGraph 0.10 would take for something else, where that was asked for."""
