"""What agentctl answers to a case of the corpus, as text that a person can read and compare.

Which machinery runs follows from the sources: two ```` ```pg ```` blocks named ``before`` and
``after`` are a migration, a block named ``cluster.yaml`` makes a folder, a block marked ``policy``
is a policy file alone, and everything else is a schema, queries, or both.
"""

import codecs
import json
from collections.abc import Callable, Iterable
from typing import Final

import msgspec

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.diagnostics.render.text import render_full
from agentctl.diagnostics.span import Span
from agentctl.languages.query.compile import CheckedResult, check_query, parse_query_file
from agentctl.languages.query.descriptor import param_kinds, result_columns
from agentctl.languages.query.format import format_queries
from agentctl.languages.query.params import bind_params
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.query.syntax import QueryDecl
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.format import format_schema
from agentctl.languages.text.addition import Addition
from agentctl.testing.corpus.folder import answer_folder, answer_policy
from agentctl.testing.corpus.lints import answer_lint
from agentctl.testing.corpus.markdown import Block, Case
from agentctl.testing.corpus.migrations import answer_migration


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one case brought forth."""

    diagnostics: tuple[Diagnostic, ...]
    """Sorted."""
    texts: dict[str, Callable[[], str]] = {}
    """The other kinds of answers, made when they are asked for."""
    refusals: frozenset[str] = frozenset()
    """Rules that a step of a migration names, or a remark of a lint."""

    @property
    def rules(self) -> frozenset[str]:
        """Every rule and every code that was raised."""
        rules = {d.rule for d in self.diagnostics if d.rule is not None}
        return frozenset(rules | {d.code for d in self.diagnostics} | self.refusals)

    @property
    def refused(self) -> bool:
        """Whether an error was raised."""
        return any(d.severity == "error" for d in self.diagnostics)


def answer(case: Case) -> Answer:
    """Returns what agentctl says to a case."""
    files = {block.file: source_bytes(block) for block in case.sources}
    if {"before", "after"} <= files.keys():
        found, refusals, steps = answer_migration(files["before"], files["after"])
        return Answer(diagnostics=found, refusals=refusals, texts={"migration": lambda: steps})
    policies = [b for b in case.sources if "policy" in b.options]
    if policies:
        return Answer(
            diagnostics=sort_diagnostics(
                d
                for block in policies
                for d in answer_policy(files[block.file], block.options["policy"], block.file)
            )
        )
    if "cluster.yaml" in files:
        loaded = answer_folder(files, case)
        return Answer(diagnostics=loaded.diagnostics, texts=loaded.texts)
    found = _languages(case.sources, files)
    if not (case.wants("lint") or case.wants("report")):
        return found
    lint = answer_lint(files)
    texts = found.texts | {"lint": lambda: lint.lines, "report": lambda: lint.report}
    return msgspec.structs.replace(found, refusals=lint.rules, texts=texts)


def source_bytes(block: Block) -> bytes:
    """Returns the bytes of a source block.

    ``escaped`` decodes Python's escapes (tabs, marks, NUL), ``encoding=`` writes another encoding,
    ``unended`` leaves out the last line feed, ``repeat=`` says how often the
    text stands there, or, where some of its lines have ``{n}``, how often each of those.
    """
    text = block.text.removesuffix("\n") if "unended" in block.options else block.text
    if "escaped" in block.options:
        text = codecs.decode(text.encode("ascii", "backslashreplace"), "unicode_escape")
    text = _repeated(text, int(block.options.get("repeat", 1)))
    return text.encode(block.options.get("encoding", "utf-8"))


def _repeated(text: str, times: int) -> str:
    if "{n}" not in text:
        return text * times
    return "".join(
        "".join(line.replace("{n}", str(n)) for n in range(times)) if "{n}" in line else line
        for line in text.splitlines(keepends=True)
    )


def place(where: Span | None, path: str) -> str:
    """Returns ``file:line:column-line:column``, or the path where there is no place."""
    if where is None:
        return path
    return f"{where.file}:{where.line}:{where.column}-{where.end_line}:{where.end_column}"


def diagnostic_lines(found: Iterable[Diagnostic]) -> str:
    """Returns one line each: ``place severity[code rule] message``."""
    return "".join(
        f"{place(d.where, d.path)} {d.severity}[{d.code}{f' {d.rule}' if d.rule else ''}]"
        f" {d.message}\n"
        for d in found
    )


def produced(case: Case) -> tuple[Answer, dict[str, str]]:
    """Returns the answer, and the text of every expectation of the case and of ``diagnostics``."""
    given = answer(case)
    texts = {"diagnostics": diagnostic_lines(given.diagnostics)}
    for block in case.expected:
        if block.word == "rendered":
            texts["rendered"] = _rendered(case, given)
        elif block.word != "diagnostics":
            make = given.texts.get(block.word)
            texts[block.word] = make() if make is not None else _NOTHING
    return given, texts


_NOTHING: Final = "(nothing: the sources have errors, or are of another kind)\n"


def _rendered(case: Case, given: Answer) -> str:
    sources = {b.file: source_bytes(b).decode("utf-8", "replace") for b in case.sources}
    return "\n\n".join(
        render_full(d, sources.get(d.where.file) if d.where else None) for d in given.diagnostics
    ) + ("\n" if given.diagnostics else "")


class _Queries:
    """The query files of a case over its schema."""

    def __init__(self) -> None:
        self.found: list[Diagnostic] = []
        self.additions: list[Addition] = []
        self.checked: list[tuple[QueryDecl, CheckedQuery | None]] = []


def _languages(sources: tuple[Block, ...], files: dict[str, bytes]) -> Answer:
    found: list[Diagnostic] = []
    additions: list[Addition] = []
    texts: dict[str, Callable[[], str]] = {}
    catalog = None
    for file in (b.file for b in sources if b.word == "pg"):
        schema = compile_schema(files[file], file=file)
        found += schema.diagnostics
        additions += schema.additions
        if schema.shape_digest is not None:
            digest = schema.shape_digest
            texts["digest"] = lambda digest=digest: digest + "\n"  # type: ignore[misc]  # bound now
        catalog = schema.catalog
    descriptors: list[dict[str, object]] = []
    last: CheckedQuery | None = None
    for file in (b.file for b in sources if b.word == "gq"):
        parsed = parse_query_file(files[file], file=file)
        found += parsed.diagnostics
        additions += parsed.additions
        if catalog is None:
            continue
        for declaration in parsed.declarations:
            checked = check_query(declaration, catalog)
            found += checked.diagnostics
            additions += checked.additions
            descriptors += _descriptor(checked)
            last = checked.query
    for file in (b.file for b in sources if b.word == "params" and last is not None):
        bound = bind_params(last, json.loads(files[file]), path=f"query.g.{last.name}")
        found += bound.diagnostics
        texts["values"] = lambda values=bound.values: json_text([dict(values)])  # type: ignore[misc]  # bound now
    texts["format"] = lambda: _formatted(sources[-1], files)
    texts["additions"] = lambda: _addition_lines(additions)
    texts["descriptor"] = lambda: json_text(descriptors)
    return Answer(diagnostics=sort_diagnostics(found), texts=texts)


def _formatted(last: Block, files: dict[str, bytes]) -> str:
    """Returns the last source formatted."""
    layout = format_schema if last.word == "pg" else format_queries
    text = layout(files[last.file], file=last.file).text
    return _NOTHING if text is None else text


def _descriptor(checked: CheckedResult) -> list[dict[str, object]]:
    query = checked.query
    if query is None:
        return []
    return [
        {
            "name": query.name,
            "params": msgspec.to_builtins(param_kinds(query)),
            "result": msgspec.to_builtins(result_columns(query)),
            "reads": [f"{f.kind} {f.type_name}" for f in query.reads],
            "writes": [f"{f.kind} {f.type_name}" for f in query.writes],
        }
    ]


def _addition_lines(found: Iterable[Addition]) -> str:
    return "".join(f"{place(a.where, '')} {a.kind} {a.feature}: {a.message}\n" for a in found)


def json_text(values: list[dict[str, object]]) -> str:
    """Returns JSON with one value a line, so that a difference is a line."""
    lines = ",\n".join("  " + json.dumps(v, ensure_ascii=False) for v in values)
    return f"[\n{lines}\n]\n" if values else "[]\n"
