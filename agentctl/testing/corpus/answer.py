"""The value that every kind of case is answered with, and how its parts are written."""

import json
from collections.abc import Callable, Mapping, Sequence

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.diagnostics.span import Span


class Answer(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that one case brought forth."""

    diagnostics: tuple[Diagnostic, ...]
    """Sorted."""
    texts: Mapping[str, Callable[[], str]] = {}
    """The other kinds of answers, by the word of their block, made when they are asked for."""
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


def place(where: Span | None, path: str) -> str:
    """Returns ``file:line:column-line:column``, or the path where there is no place."""
    if where is None:
        return path
    return f"{where.file}:{where.line}:{where.column}-{where.end_line}:{where.end_column}"


def json_lines(values: Sequence[object]) -> str:
    """Returns a JSON array with one value a line, so that a difference is a line."""
    lines = ",\n".join("  " + json.dumps(v, ensure_ascii=False) for v in values)
    return f"[\n{lines}\n]\n" if values else "[]\n"
