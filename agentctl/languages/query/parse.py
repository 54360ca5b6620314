"""Parses `.gq` text; what it finds wrong goes to the report, what it can read whole is returned.

It knows the whole grammar of languages 2.1 and 3.1, and notes what of it OmniGraph 0.10 does not
have. Recursive descent over one list of tokens, without going back; the rules that it breaks with
are explained in `grammar_rules`.

Rules: GQ010, GQ011 keyword not followed by a space, GQ014 type of a parameter, GQ016 annotation
given twice, GQ017 blank annotation, GQ020 parameter declared twice, GQ021 reserved parameter,
GQ024 braces never closed, GQ034 reads and changes in one query.
"""

from typing import Final

import msgspec

from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, Related
from agentctl.diagnostics.span import Span
from agentctl.languages.query.expression_syntax import ANONYMOUS
from agentctl.languages.query.mutation_syntax import MUTATIONS, MutationParser
from agentctl.languages.query.recovery import PARTS, declaration_begins
from agentctl.languages.query.results import QueryFile
from agentctl.languages.query.syntax import MutationBody, ParamSyntax, QueryDecl, ReadBody
from agentctl.languages.schema.type_syntax import read_type
from agentctl.languages.text.cursor import OPENERS, HaltError
from agentctl.languages.text.report import Report
from agentctl.languages.text.sequence import another
from agentctl.languages.text.source import Dialect, read_source
from agentctl.languages.text.suggest import did_you_mean, nearest
from agentctl.languages.text.token import Token, TokenKind

QUERY_DIALECT: Final = Dialect(name=".gq", parse_code="query_parse_error", prefix="GQ")
NOW_PARAMETER: Final = "__nanograph_now"
"""Carries the time of ``now()``; no query declares it."""
ANNOTATIONS: Final = ("description", "instruction")
_HARMLESS: Final = frozenset(QUERY_DIALECT.rule(n) for n in (13, 16, 17, 20, 27))
"""Mistakes that leave no doubt about what else the declaration says, so that it is checked too."""
_PARAMS_REMEDY: Final = "Parameters come next, also where there are none: `query name() { … }`."
_LOWER: Final = TokenKind.LOWER


def parse_query_file(source: bytes, *, file: str) -> QueryFile:
    """Returns the declarations of *source*; *file* names it in the diagnostics."""
    text = read_source(source, file=file, dialect=QUERY_DIALECT)
    if isinstance(text, Diagnostic):
        return QueryFile(declarations=(), diagnostics=(text,))
    report = Report(text, QUERY_DIALECT)
    declarations = parse_queries(report)
    return QueryFile(
        declarations=declarations,
        diagnostics=sort_diagnostics(report.all()),
        additions=tuple(report.additions),
    )


class _Note(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An annotation."""

    text: str
    where: Span


def parse_queries(report: Report) -> tuple[QueryDecl, ...]:
    """Returns the declarations of the report's source that can be checked. ``file := query*``."""
    return QueryParser(report).file()


class QueryParser(MutationParser):
    """The whole parser: of a file and its declarations."""

    def file(self) -> tuple[QueryDecl, ...]:
        """``file := query*``."""
        found: list[QueryDecl] = []
        cursor = self.cursor
        torn = self._torn_places()
        while not cursor.at_end():
            problems, before = len(self.report), cursor.position
            self.unbalanced = False
            try:
                declaration = self.declaration()
            except HaltError:
                if cursor.position == before:
                    cursor.take()
                cursor.skip_until(declaration_begins)
                continue
            if self._is_whole(problems) and not self._is_torn(before, torn):
                found.append(declaration)
            if self.unbalanced:
                cursor.skip_until(declaration_begins)
        return tuple(found)

    def _is_whole(self, problems: int) -> bool:
        """Whether nothing of a declaration was lost, though it may have had mistakes.

        Args:
            problems: how many mistakes were known before it.
        """
        if len(self.report) == problems:
            return True
        return not self.report.full and all(
            d.rule in _HARMLESS for d in self.report.all()[problems:]
        )

    def _torn_places(self) -> tuple[tuple[int, int], ...]:
        """Returns the lines and columns of what the lexer has reported."""
        places = (d.where for d in self.report.all() if d.severity == "error")
        return tuple((w.line, w.column) for w in places if w is not None)

    def _is_torn(self, start: int, places: tuple[tuple[int, int], ...]) -> bool:
        """Whether a mistake of the lexer is in the declaration from the token *start* to here."""
        if not places:
            return False
        where = self.cursor.span(self.cursor.tokens[start], self.cursor.last)
        first, last = (where.line, where.column), (where.end_line, where.end_column)
        return self.report.full or any(first <= place < last for place in places)

    def declaration(self) -> QueryDecl:
        """``query := 'query' IDENT '(' params ')' annotation* '{' (read | mutation+) '}'``."""
        self._query_word()
        name = self.name(_LOWER, "the name of a query")
        texts: dict[str, _Note] = {}
        if self.cursor.at_mark("@"):
            remedy = "Annotations come behind the parameters: `query name() @description(…) { … }`."
            self.report.parse_error(
                10, "expected `(`, found `@`", self.cursor.peek(), remedy=remedy
            )
            self._annotations(texts)
        params = self._params()
        self._annotations(texts)
        body = self.body()
        return QueryDecl(
            name=name.text,
            where=self.cursor.span(name),
            params=params,
            body=body,
            description=texts["description"].text if "description" in texts else None,
            instruction=texts["instruction"].text if "instruction" in texts else None,
        )

    def _query_word(self) -> None:
        """Takes ``query``; a misspelt one is reported, where a name and parameters follow."""
        cursor = self.cursor
        token = cursor.peek()
        if token.is_word("query"):
            cursor.take()
            return
        self.refuse_glued(token, ("query",))
        if cursor.at_kind(_LOWER, 1) and cursor.at_mark("(", 2) and nearest(token.text, ("query",)):
            self.misspelt(token, "query")
            cursor.take()
            return
        remedy = None
        if token.text in PARTS or token.text in MUTATIONS:
            remedy = "It stands in a declaration: `query name() { … }`."
        elif token.is_mark("@"):
            remedy = "Annotations come behind the parameters: `query name() @description(…) { … }`."
        elif token.is_mark("}"):
            remedy = "Take it out; what stands before it is closed already."
        cursor.surprise("`query`", remedy=remedy)

    def _params(self) -> tuple[ParamSyntax, ...]:
        """``'(' (param (',' param)*)? ')'``."""
        cursor = self.cursor
        cursor.expect_mark("(", remedy=_PARAMS_REMEDY)
        found: dict[str, ParamSyntax] = {}
        while not cursor.at_mark(")"):
            try:
                self._param(found)
                if not another(cursor, ")"):
                    if not cursor.at_mark(")"):
                        cursor.surprise("`,` or `)`")
                    break
            except HaltError:
                if not self._next_param():
                    return tuple(found.values())
        cursor.take()
        return tuple(found.values())

    def _next_param(self) -> bool:
        """Goes on behind the next comma or at the closing ``)``; returns whether one comes.

        Halts where neither that nor the body comes.
        """
        cursor = self.cursor
        depth = 0
        while not self.outer_begins(cursor.position) and not cursor.at_mark("{"):
            token = cursor.peek()
            if token.kind is TokenKind.MARK and depth == 0 and token.text in {",", ")"}:
                cursor.accept_mark(",")
                return True
            if token.kind is TokenKind.MARK and token.text in OPENERS:
                depth += 1
            elif token.kind is TokenKind.MARK and token.text in OPENERS.values():
                depth = max(depth - 1, 0)
            cursor.take()
        self.unbalanced = True
        if not cursor.at_mark("{"):
            raise HaltError
        return False

    def _param(self, found: dict[str, ParamSyntax]) -> None:
        """``param := VAR ':' type '?'?``."""
        cursor = self.cursor
        token = cursor.peek()
        if token.kind is _LOWER:
            remedy = f"Write `${token.text[:50]}`."
            cursor.surprise("a parameter", remedy=remedy)
        cursor.expect_kind(TokenKind.VARIABLE, "a parameter")
        if token.text in {NOW_PARAMETER, ANONYMOUS}:
            message = f"`${token.text}` is reserved"
            self.report.parse_error(21, message, token, remedy="Give it another name.")
        if token.text in found:
            message = f"the parameter `${token.text[:50]}` is declared twice"
            self.report.parse_error(
                20,
                message,
                token,
                remedy="Take one of them out, or give it another name.",
                related=(Related(where=found[token.text].where, message="declared first here"),),
            )
        cursor.expect_mark(":", remedy="Give it a type: `$name: String`.")
        first = cursor.peek()
        type_ = read_type(cursor)
        if type_.enum_values is not None:
            self.report.parse_error(
                14, "a parameter cannot be an enum", first, remedy="Declare it as `String`."
            )
        param = ParamSyntax(name=token.text, type=type_, where=cursor.span(token))
        found.setdefault(token.text, param)
        if cursor.at_mark("="):
            cursor.surprise("`,` or `)`", remedy="A parameter has no default; make it nullable.")

    def _annotations(self, found: dict[str, _Note]) -> None:
        """``( '@description' '(' STR ')' | '@instruction' '(' STR ')' )*``."""
        cursor = self.cursor
        while (at := cursor.accept_mark("@")) is not None:
            name = cursor.expect_kind(_LOWER, "`description` or `instruction`")
            if name.text not in ANNOTATIONS:
                self._unknown_annotation(name)
                continue
            cursor.expect_mark("(", remedy=f'Write `@{name.text}("…")`.')
            text = cursor.expect_kind(TokenKind.STRING)
            close = cursor.expect_mark(")")
            if name.text in found:
                message = f"`@{name.text}` is given twice"
                place = (at.start, close.end)
                first = Related(where=found[name.text].where, message="given first here")
                self.report.parse_error(
                    16, message, place, remedy="Keep one of them.", related=(first,)
                )
            if not text.text.strip():
                message = f"the text of `@{name.text}` is blank"
                self.report.parse_error(17, message, text, remedy="Write it, or take it out.")
            note = _Note(text=text.text, where=self.report.source.span(at.start, close.end))
            found.setdefault(name.text, note)

    def _unknown_annotation(self, name: Token) -> None:
        message = f"expected `description` or `instruction`, found {name.describe()}"
        remedy = did_you_mean(name.text, ANNOTATIONS, mark="@")
        self.report.parse_error(10, message, name, remedy=remedy)
        if self.cursor.at_mark("("):
            self.cursor.skip_balanced()

    def body(self) -> ReadBody | MutationBody:
        """``'{' (read | mutation+) '}'``."""
        cursor = self.cursor
        opener = self.opens()
        first = cursor.peek()
        if first.is_mark("}"):
            self.empty(opener, "A query reads with `match { … } return { … }`.")
            cursor.take()
            raise HaltError
        changes = first.kind is _LOWER and first.text.startswith(MUTATIONS)
        if not changes and not first.text.startswith(PARTS):
            changes = nearest(first.text, MUTATIONS) is not None and not nearest(first.text, PARTS)
        body = self.mutations() if changes else self.read()
        token = cursor.peek()
        if cursor.accept_mark("}") is None:
            self._not_closed(opener, token, changes=changes)
        return body

    def _not_closed(self, opener: Token, token: Token, *, changes: bool) -> None:
        """Halts where a body goes on with what does not belong into it."""
        if token.kind is _LOWER and token.text in (PARTS if changes else MUTATIONS):
            self.cursor.fail(
                34,
                "a query either reads or changes, not both",
                token,
                remedy="Make two queries of it.",
            )
        if self.unbalanced or self.outer_begins(self.cursor.position):
            self.unclosed(opener)
        skip = token.is_word("skip") and not changes
        self.cursor.surprise("`}`", remedy="Did you mean `offset`?" if skip else None)
