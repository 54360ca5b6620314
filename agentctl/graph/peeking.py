"""A look at the rows before a schema is wanted in earnest: counts, bounded, of what it would not permit.

Both graph ports ask `questions` of the schema in force and the wanted one, and count. What `judging`
refuses at the end is among them; repeated values and values that would go are told besides.
Source: control-plane 3.3.
"""

from collections.abc import Iterable, Iterator

import msgspec

from agentctl.domain.ledger.peeks import Peek, PeekNeed
from agentctl.graph.judging import Judgement, Leaving, judgements
from agentctl.graph.values import Value
from agentctl.languages.schema.ir import IrType, SchemaIr


class Question(msgspec.Struct, frozen=True, kw_only=True):
    """What is asked of the rows of one type."""

    type_id: str
    where: str
    need: PeekNeed
    columns: tuple[str, ...]
    judgement: Judgement | None = None
    """What a value must satisfy; None where all rows are asked together, or nothing is."""
    leaving: Leaving | None = None
    """How many edges must leave each node of the type, which is asked by `leaving_answer`."""


class Counting:
    """Counts the rows that answer one question; rows come in batches."""

    def __init__(self, question: Question) -> None:
        self._question = question
        self._seen: set[tuple[object, ...]] = set()
        self.looked_at = 0
        self.nulls = 0
        self.broken = 0

    def add(self, row: tuple[Value | None, ...], times: int = 1) -> None:
        """Counts *times* rows that have these values in the question's columns."""
        question = self._question
        self.looked_at += times
        if None in row:
            self.nulls += times
        if question.judgement is not None:
            self.broken += times if question.judgement.broken_by(row[0]) else 0
        elif question.need == "are_unique" and None not in row:
            self.broken += times if row in self._seen else times - 1
            self._seen.add(row)

    def answer(self, rows: int) -> Peek:
        """Returns what was counted of a type that has *rows* rows."""
        return Peek(
            where=self._question.where,
            need=self._question.need,
            rows=rows,
            looked_at=self.looked_at,
            nulls=self.nulls,
            broken=self.broken,
        )


def questions(old: SchemaIr, new: SchemaIr) -> tuple[Question, ...]:
    """Returns what *new* asks of rows that fit *old*, and what it would drop."""
    judged = judgements(old, new)
    asked = [
        Question(
            type_id=j.type_id,
            where=j.where,
            need=_need(j),
            columns=(j.column,),
            judgement=j,
        )
        for j in judged
        if isinstance(j, Judgement)
    ]
    asked += [
        Question(
            type_id=j.source_id, where=j.where, need="leave_each_source", columns=(), leaving=j
        )
        for j in judged
        if isinstance(j, Leaving)
    ]
    wanted = {t.id: t for t in new.types}
    for before in old.types:
        now = wanted.get(before.id)
        asked.extend(_dropped(before, now))
        if now is not None:
            asked.extend(_unique(before, now))
    return tuple(asked)


def counted(question: Question, rows: Iterable[tuple[Value | None, ...]], *, total: int) -> Peek:
    """Returns the answer of *rows*, each the values of the question's columns."""
    counting = Counting(question)
    for row in rows:
        counting.add(row)
    return counting.answer(total)


def leaving_answer(question: Question, *, nodes: int, looked_at: int, broken: int) -> Peek:
    """Returns the answer to how many edges leave each of *nodes* nodes."""
    return Peek(
        where=question.where,
        need=question.need,
        rows=nodes,
        looked_at=looked_at,
        broken=broken,
    )


def _need(judgement: Judgement) -> PeekNeed:
    if judgement.required:
        return "have_a_value"
    if judgement.values is not None:
        return "have_one_of"
    return "match" if judgement.pattern is not None else "are_in_range"


def _dropped(before: IrType, now: IrType | None) -> Iterator[Question]:
    """A dropped type is told by each of its properties; a dropped property by itself."""
    kept = {p.id for p in now.properties} if now is not None else set()
    for prop in before.properties:
        if prop.id not in kept:
            yield Question(
                type_id=before.id,
                where=f"{before.name}.{prop.name}",
                need="are_dropped",
                columns=(prop.column,),
            )


def _unique(before: IrType, now: IrType) -> Iterator[Question]:
    """What no row has yet repeats nothing, so only columns that are there are asked about."""
    held = {p.id for p in before.properties}
    column = {p.name: p.column for p in now.properties if p.id in held}
    known = {_ids(before, c.columns) for c in before.constraints if c.kind == "unique"}
    for constraint in now.constraints:
        if constraint.kind != "unique" or not set(constraint.columns) <= set(column):
            continue
        if _ids(now, constraint.columns) not in known:
            yield Question(
                type_id=now.id,
                where=f"{now.name}.{', '.join(constraint.columns)}",
                need="are_unique",
                columns=tuple(column[name] for name in constraint.columns),
            )


def _ids(ir_type: IrType, names: Iterable[str]) -> frozenset[str]:
    ids = {p.name: p.id for p in ir_type.properties}
    return frozenset(ids.get(name, name) for name in names)
