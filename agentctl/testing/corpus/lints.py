"""Lints of the corpus: what `agentctl lint` says of a folder with one schema and its queries."""

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.engine.lint import lint
from agentctl.testing.corpus.folder import load_files

CLUSTER = b"version: 1\ngraphs: {g: {schema: s.pg, queries: [q.gq]}}\n"


class LintAnswer(msgspec.Struct, frozen=True, kw_only=True):
    """The remarks about a case."""

    lines: str
    """One line each: ``place severity[rule] message``."""
    report: str
    """The document in the form of OmniGraph, as JSON."""
    rules: frozenset[str]


def answer_lint(files: dict[str, bytes]) -> LintAnswer:
    """Returns the remarks about the schema ``s.pg`` and the queries ``q.gq``."""
    result = lint(load_files({**files, "cluster.yaml": CLUSTER}))
    remarks = [d for d in result.diagnostics if d.code == "query_lint"]
    broken = [f for file in result.files for f in file.findings if f.code == "Q000"]
    lines = [_line(d) for d in remarks]
    lines += [f"q.gq {f.severity}[{f.code}] {f.message}\n" for f in broken]
    rules = {d.rule for d in remarks if d.rule is not None} | {f.code for f in broken}
    documents = b"\n".join(msgspec.json.format(msgspec.json.encode(f)) for f in result.files)
    return LintAnswer(
        lines="".join(lines), report=documents.decode() + "\n", rules=frozenset(rules)
    )


def _line(found: Diagnostic) -> str:
    where = found.where
    place = f"{where.line}:{where.column}-{where.end_line}:{where.end_column}" if where else ""
    file = where.file if where else found.path
    return f"{file}:{place} {found.severity}[{found.rule}] {found.message}\n"
