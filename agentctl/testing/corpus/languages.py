"""Schemas and queries of the corpus: compiled, checked, described, formatted."""

import json
from collections.abc import Iterable, Mapping, Sequence

import msgspec

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.languages.query.compile import check_query, parse_query_file
from agentctl.languages.query.descriptor import param_kinds, result_columns
from agentctl.languages.query.format import format_queries
from agentctl.languages.query.params import bind_params
from agentctl.languages.query.plan import CheckedQuery
from agentctl.languages.schema.compile import compile_schema
from agentctl.languages.schema.format import format_schema
from agentctl.languages.schema.types import Catalog
from agentctl.languages.text.addition import Addition
from agentctl.testing.corpus.answer import Answer, json_lines, place


class _Reading(msgspec.Struct, kw_only=True):
    """What the sources say so far."""

    files: Mapping[str, bytes]
    found: list[Diagnostic] = []
    additions: list[Addition] = []
    catalog: Catalog | None = None
    digest: str | None = None
    queries: list[CheckedQuery] = []
    values: list[object] = []

    def schema(self, file: str) -> None:
        compiled = compile_schema(self.files[file], file=file)
        self.found += compiled.diagnostics
        self.additions += compiled.additions
        self.catalog, self.digest = compiled.catalog, compiled.shape_digest

    def query_file(self, file: str) -> None:
        parsed = parse_query_file(self.files[file], file=file)
        self.found += parsed.diagnostics
        self.additions += parsed.additions
        if self.catalog is None:
            return
        for declaration in parsed.declarations:
            checked = check_query(declaration, self.catalog)
            self.found += checked.diagnostics
            self.additions += checked.additions
            if checked.query is not None:
                self.queries.append(checked.query)

    def params(self, file: str) -> None:
        """Binds values to the parameters of the last query."""
        query = self.queries[-1]
        bound = bind_params(query, json.loads(self.files[file]), path=f"query.g.{query.name}")
        self.found += bound.diagnostics
        self.values.append(dict(bound.values))


def answer_languages(sources: Sequence[tuple[str, str]], files: Mapping[str, bytes]) -> Answer:
    """Returns what the sources mean, or their mistakes.

    Args:
        sources: the word and the file of each, in the order of the page.
        files: their bytes.
    """
    reading = _Reading(files=files)
    steps = {"pg": reading.schema, "gq": reading.query_file, "params": reading.params}
    for word, step in steps.items():
        for file in (f for w, f in sources if w == word):
            step(file)
    last = sources[-1]
    texts = {
        "additions": lambda: _addition_lines(reading.additions),
        "descriptor": lambda: json_lines([_descriptor(q) for q in reading.queries]),
        "format": lambda: _formatted(*last, files),
        "values": lambda: json_lines(reading.values),
    }
    if reading.digest is not None:
        texts["digest"] = lambda: f"{reading.digest}\n"
    return Answer(diagnostics=sort_diagnostics(reading.found), texts=texts)


def _formatted(word: str, file: str, files: Mapping[str, bytes]) -> str:
    layout = format_schema if word == "pg" else format_queries
    text = layout(files[file], file=file).text
    return "(not formatted)\n" if text is None else text


def _descriptor(query: CheckedQuery) -> dict[str, object]:
    return {
        "name": query.name,
        "params": msgspec.to_builtins(param_kinds(query)),
        "result": msgspec.to_builtins(result_columns(query)),
        "reads": [f"{f.kind} {f.type_name}" for f in query.reads],
        "writes": [f"{f.kind} {f.type_name}" for f in query.writes],
    }


def _addition_lines(found: Iterable[Addition]) -> str:
    return "".join(f"{place(a.where, '')} {a.kind} {a.feature}: {a.message}\n" for a in found)
