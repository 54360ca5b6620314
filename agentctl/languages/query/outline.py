"""Where the parts of a `.gq` text begin and end, by the indexes of their tokens.

Made by the parser itself: it looks over its own shoulder, so that the formatter need not know the
grammar a second time.
"""

from agentctl.languages.query.condition_syntax import Term
from agentctl.languages.query.parse import QueryParser
from agentctl.languages.query.syntax import (
    Assignment,
    Clause,
    Condition,
    EdgeName,
    Expression,
    Hops,
    MutationBody,
    MutationSyntax,
    QueryDecl,
    ReadBody,
    ReturnItem,
)
from agentctl.languages.text.report import Report
from agentctl.languages.text.token import Token


class Outline:
    """What is known of the tokens of one text."""

    def __init__(self) -> None:
        self.declarations: set[int] = set()
        """First tokens; the end of the header is that of a group."""
        self.lines: set[int] = set()
        """First tokens of clauses, of the parts of reads, and of mutations."""
        self.bodies: set[int] = set()
        """Opening braces of declarations."""
        self.blocks: dict[int, int] = {}
        """Opening braces of clauses, and how many clauses they hold."""
        self.hops: set[int] = set()
        """Tokens from the opening to the closing brace."""
        self.parentheses: set[int] = set()
        """Opening ones that stand for themselves, not behind a function."""
        self.joints: set[int] = set()
        """The words ``and`` and ``or`` between conditions."""
        self.loose_items: set[int] = set()
        """First tokens of items that a comma need not separate; without the first of each list."""
        self.starts: dict[int, int] = {}
        """How many stretches begin at a token that stay on one line where they fit."""
        self.ends: dict[int, int] = {}
        """How many of them end before a token."""

    def stretch(self, start: int, end: int) -> None:
        """Adds a stretch from the token *start* to the one before *end*."""
        self.starts[start] = self.starts.get(start, 0) + 1
        self.ends[end] = self.ends.get(end, 0) + 1


def outline(report: Report) -> Outline:
    """Parses the report's source, and returns how it is built; of use where nothing is wrong."""
    parser = _OutliningParser(report)
    parser.file()
    return parser.found


class _OutliningParser(QueryParser):
    """Notes positions around each step of the parser."""

    def __init__(self, report: Report) -> None:
        super().__init__(report)
        self.found = Outline()

    def declaration(self) -> QueryDecl:
        self._start = self.cursor.position
        self.found.declarations.add(self._start)
        return super().declaration()

    def body(self) -> ReadBody | MutationBody:
        self.found.stretch(self._start, self.cursor.position)
        self.found.bodies.add(self.cursor.position)
        return super().body()

    def part(self, word: str) -> None:
        self.found.lines.add(self.cursor.position - 1)
        super().part(word)

    def mutation(self) -> MutationSyntax:
        self.found.lines.add(self.cursor.position)
        return super().mutation()

    def clauses(self) -> tuple[Clause, ...]:
        opener = self.cursor.position
        clauses = super().clauses()
        self.found.blocks[opener] = len(clauses)
        return clauses

    def clause(self, opener: Token, before: list[Clause]) -> Clause | None:
        start = self.cursor.position
        clause = super().clause(opener, before)
        self.found.lines.add(start)
        self.found.stretch(start, self.cursor.position)
        return clause

    def where(self, verb: str) -> Condition:
        start = self.cursor.position + 1
        condition = super().where(verb)
        self.found.stretch(start, self.cursor.position)
        return condition

    def joined(self, word: str) -> bool:
        position = self.cursor.position
        found = super().joined(word)
        if found:
            self.found.joints.add(position)
        return found

    def group(self) -> Term:
        self.found.parentheses.add(self.cursor.position)
        return super().group()

    def right_side(self) -> Expression:
        if self.cursor.at_mark("("):
            self.found.parentheses.add(self.cursor.position)
        return super().right_side()

    def alternatives(self) -> tuple[EdgeName, ...]:
        self.found.parentheses.add(self.cursor.position)
        return super().alternatives()

    def hops(self) -> Hops:
        start = self.cursor.position
        hops = super().hops()
        self.found.hops.update(range(start, self.cursor.position))
        return hops

    def item(self) -> ReturnItem:
        self._loose()
        return super().item()

    def assignment(self) -> Assignment:
        self._loose()
        return super().assignment()

    def _loose(self) -> None:
        if not self.cursor.last.is_mark("{"):
            self.found.loose_items.add(self.cursor.position)
