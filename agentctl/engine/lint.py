"""What lint says of a folder or a draft: every query file, and the remarks with their places. No IO.

The rules are the languages'; here they are gathered into the forms of `views.lint`.
"""

from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Literal

import msgspec

from agentctl.diagnostics.bag import has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, note, warning
from agentctl.domain.config.load import LoadedCluster
from agentctl.engine.readings import GraphReading, QueryReading, additions, readings
from agentctl.ids import query_address, schema_address
from agentctl.languages.query.descriptor import result_columns
from agentctl.languages.query.lint import Finding, lint_graph, lint_query
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.query.results import CheckedResult
from agentctl.languages.query.syntax import MutationBody, QueryDecl
from agentctl.languages.schema.types import Catalog
from agentctl.views.compat import differing_in_omnigraph
from agentctl.views.lint import (
    DOES_NOT_PARSE,
    LintFinding,
    LintResult,
    OperationFacts,
    QueryLintOutput,
    QueryReport,
    SchemaSource,
)

UNCODED = "L304"
"""OmniGraph 0.10 tells this one as a warning of its query, without a code."""
_NOT_CHECKED = "not checked, because the schema has errors"
_RANKS = {"error": 0, "warning": 1, "info": 2}


def lint(loaded: LoadedCluster, *, compare: bool = False) -> LintResult:
    """Returns all that validation and the lints find, but what `validate` alone tells.

    Args:
        loaded: the folder, or a draft over it.
        compare: whether what OmniGraph 0.10 would take for something else is told too.
    """
    files: list[QueryLintOutput] = []
    found = [*loaded.diagnostics]
    for graph in readings(loaded):
        catalog = graph.schema.catalog if graph.schema is not None else None
        linted = [_linted(file, catalog) for file in graph.queries]
        files += (_output(graph, file) for file in linted)
        if catalog is not None:
            found += _remarks(graph.graph, linted, catalog)
    differences = tuple(a for a in additions(loaded) if a.kind == "differs") if compare else ()
    found += differing_in_omnigraph(differences)
    return LintResult(
        ok=not has_errors(found),
        files=tuple(sorted(files, key=lambda f: (f.schema_source.path or "", f.query_path))),
        diagnostics=sort_diagnostics(found),
        differences=differences,
    )


class _Linted(msgspec.Struct, frozen=True, kw_only=True):
    """A query file with the remarks about each of its queries."""

    file: QueryReading
    valid: tuple[tuple[QueryDecl, CheckedQuery], ...]
    remarks: tuple[Finding, ...] = ()
    together: tuple[Finding, ...] = ()
    """About its queries together, as OmniGraph 0.10 looks at one file."""


def _linted(file: QueryReading, catalog: Catalog | None) -> _Linted:
    valid = tuple(_valid(file))
    if catalog is None:
        return _Linted(file=file, valid=valid)
    each = (f for declared, query in valid for f in lint_query(declared, query, catalog))
    together = lint_graph((query for _, query in valid), catalog)
    return _Linted(file=file, valid=valid, remarks=tuple(each), together=together)


def _remarks(graph: str, linted: Iterable[_Linted], catalog: Catalog) -> Iterator[Diagnostic]:
    """Yields the remarks about the queries of a graph, each and all together."""
    queries: list[CheckedQuery] = []
    for one in linted:
        queries += (query for _, query in one.valid)
        yield from (_told(f, query_address(graph, f.query_names[0])) for f in one.remarks)
    yield from (_told(f, schema_address(graph)) for f in lint_graph(queries, catalog))


def _told(found: Finding, path: str) -> Diagnostic:
    tell = warning if found.severity == "warning" else note
    return tell(
        "query_lint",
        path,
        found.message,
        rule=found.rule,
        where=found.where,
        remedy=found.remedy,
        related=found.related,
    )


def _valid(file: QueryReading) -> Iterator[tuple[QueryDecl, CheckedQuery]]:
    """Yields the declarations that fit the schema, each name once."""
    seen: set[str] = set()
    for declared in file.parsed.declarations:
        result = file.checked.get(declared.name)
        if declared.name not in seen and result is not None and result.query is not None:
            yield declared, result.query
        seen.add(declared.name)


def _output(graph: GraphReading, linted: _Linted) -> QueryLintOutput:
    file, remarks = linted.file, (*linted.remarks, *linted.together)
    warned = [f for f in remarks if f.rule == UNCODED]
    times = Counter(d.name for d in file.parsed.declarations)
    reports = tuple(
        _report(d, file.checked.get(d.name), warned)
        if times[d.name] == 1
        else _repeated(d, times[d.name])
        for d in file.parsed.declarations
    )
    findings = _findings(file, (f for f in remarks if f.rule != UNCODED))
    failed = sum(r.status == "error" for r in reports)
    severities = [f.severity for f in findings]
    errors = failed + severities.count("error")
    return QueryLintOutput(
        status="error" if errors else "ok",
        schema_source=SchemaSource(kind="file", path=graph.schema_path),
        query_path=file.path,
        queries_processed=len(reports),
        errors=errors,
        warnings=severities.count("warning") + sum(len(r.warnings) for r in reports),
        infos=severities.count("info"),
        results=reports,
        findings=findings,
    )


def _findings(file: QueryReading, remarks: Iterable[Finding]) -> tuple[LintFinding, ...]:
    found = [
        LintFinding(
            severity="warning" if f.severity == "warning" else "info",
            code=f.rule,
            message=f.message,
            type_name=f.type_name,
            property=f.property,
            query_names=f.query_names,
        )
        for f in remarks
    ]
    broken = next((d for d in file.parsed.diagnostics if d.severity == "error"), None)
    if broken is not None:
        found.append(LintFinding(severity="error", code=DOES_NOT_PARSE, message=_said(broken)))
    return tuple(
        sorted(
            found,
            key=lambda f: (_RANKS[f.severity], f.type_name or "", f.property or "", f.message),
        )
    )


def _repeated(declared: QueryDecl, times: int) -> QueryReport:
    """Returns that none of the declarations of one name is the query of that name."""
    count = "twice" if times == 2 else f"{times} times"
    told = (
        f"{declared.where.line}:{declared.where.column}: the query is declared {count} in this file"
    )
    return QueryReport(name=declared.name, kind=_kind(declared), status="error", error=told)


def _kind(declared: QueryDecl) -> Literal["read", "mutation"]:
    return "mutation" if isinstance(declared.body, MutationBody) else "read"


def _report(
    declared: QueryDecl, result: CheckedResult | None, warned: Iterable[Finding]
) -> QueryReport:
    kind = _kind(declared)
    query = result.query if result is not None else None
    if query is None:
        mistakes = [d for d in result.diagnostics if d.severity == "error"] if result else []
        told = _said(mistakes[0]) if mistakes else _NOT_CHECKED
        return QueryReport(name=declared.name, kind=kind, status="error", error=told)
    return QueryReport(
        name=declared.name,
        kind=kind,
        status="ok",
        warnings=tuple(f.message for f in warned if declared.name in f.query_names),
        operation=OperationFacts(
            result=result_columns(query), reads=query.reads, writes=query.writes
        ),
    )


def _said(found: Diagnostic) -> str:
    """Returns a mistake on one line, its rule and its place first."""
    place = f"{found.where.line}:{found.where.column}: " if found.where is not None else ""
    return f"{place}{found.rule}: {found.message}" if found.rule else f"{place}{found.message}"
