"""Policy bundles in Cedar: checked by whoever has Cedar, one policy at a time, with a place for each.

Cedar names a policy by its number and gives no place, so the text is cut at the end of each policy
and what is wrong with the whole is looked for in its parts. Source: access-and-faces 3.2.
"""

import re
from collections.abc import Callable, Iterator, Sequence
from itertools import islice
from typing import Final

import msgspec

from agentctl.diagnostics.bag import Bag
from agentctl.diagnostics.diagnostic import Related, error
from agentctl.diagnostics.span import Span, span_at
from agentctl.domain.config.faults import FAULT_COUNT_MAX

CheckCedar = Callable[[str], Sequence[str]]
"""Returns what is wrong with a text of policies, syntax and strict schema; nothing where all holds."""

POLICY_COUNT_MAX: Final = 1000
DEPTH_MAX: Final = 40
WORD_COUNT_MAX: Final = 2000
"""Cedar's validator recurses by brackets and operators, and a deep policy ends the process."""

_REMARK: Final = r"//[^\n\r]*"
"""Cedar ends one at either end of a line: what follows a lone carriage return is policy."""
_TEXT: Final = r'"(?:[^"\\]|\\.)*+"?'
"""Also one that nobody ends, so that a file is read once; Cedar refuses it."""
_TOKEN: Final = re.compile(
    rf'{_REMARK}|{_TEXT}|[()\[\]{{}}]|;|@id\s*\(\s*"((?:[^"\\]|\\.)*+)"\s*\)', re.DOTALL
)
_WORD: Final = re.compile(rf"{_REMARK}|{_TEXT}|,|(\w+|[^\w\s])", re.DOTALL)
_FANNED: Final = re.compile(r" (?:on entity type|in context for) (?:`[^`]*`|\S+)")
"""Cedar tells a fault once for each type and action that a policy could be about."""
_NAMED: Final = re.compile(r"`([^`]+)`|: (\w+)\Z")
_FOLLOWS: Final = "unable to find an applicable action"
"""Told beside the action that does not exist."""
_REMEDY: Final = "`agentctl policy schema` prints what policies may speak of."


class Piece(msgspec.Struct, frozen=True, kw_only=True):
    """One policy of a text."""

    start: int
    end: int
    """Just behind its semicolon."""
    id: str | None = None
    """Of its annotation `@id`."""
    id_at: tuple[int, int] | None = None
    depth: int = 0
    """Of its brackets."""


def pieces(text: str) -> Iterator[Piece]:
    """Yields the policies of *text*; a rest without a semicolon is the last one."""
    start, depth, deepest = 0, 0, 0
    name: tuple[str, tuple[int, int]] | None = None
    for match in _TOKEN.finditer(text):
        mark = match.group()
        if match.group(1) is not None:
            name = (match.group(1), match.span())
        elif mark in "([{":
            depth += 1
            deepest = max(deepest, depth)
        elif mark in ")]}":
            depth -= 1
        elif mark == ";" and depth <= 0:
            yield _piece(text, start, match.end(), name, deepest)
            start, depth, deepest, name = match.end(), 0, 0, None
    if _bare(text[start:]).strip():
        yield _piece(text, start, len(text), name, deepest)


def check_cedar_file(
    data: bytes, *, file: str, path: str, check: CheckCedar | None, bag: Bag
) -> None:
    """Adds every fault of a bundle in Cedar to *bag*, all `policy_invalid`.

    Args:
        data: the file.
        file: its path, for places.
        path: the policy's address.
        check: asks Cedar; without it nothing holds.
        bag: takes the faults.
    """
    try:
        text = data.decode("utf-8").removeprefix("\ufeff")
    except UnicodeDecodeError as fault:
        before = data[: fault.start].decode("utf-8")
        where = span_at(file, before + "?", len(before), len(before) + 1)
        message = f"byte 0x{data[fault.start]:02x} is not UTF-8"
        remedy = "Save the file as UTF-8."
        bag.add(error("policy_invalid", path, message, where=where, remedy=remedy))
        return
    if check is None:
        message = f"`{file}` is in Cedar, which cannot be checked here"
        bag.add(error("policy_invalid", path, message))
        return
    found = tuple(pieces(text))
    if not found or len(found) > POLICY_COUNT_MAX:
        message = f"`{file}` has {len(found)} policies; it takes 1 to {POLICY_COUNT_MAX}"
        bag.add(error("policy_invalid", path, message))
        return
    _repeated_ids(text, found, file, path, bag)
    deep = [piece for piece in found if _too_deep(text, piece)]
    for piece in deep:
        message = f"a policy has at most {DEPTH_MAX} levels of brackets and {WORD_COUNT_MAX} words"
        where = _place(text, piece, "", file)
        remedy = "Split it into several policies."
        bag.add(error("policy_invalid", path, message, where=where, remedy=remedy))
    whole = check(text) if not deep else ()
    if not whole:
        return
    located = list(islice(_located(text, found, check), FAULT_COUNT_MAX))
    if not located:
        located = [(Piece(start=found[0].start, end=found[0].end), told) for told in whole]
    for piece, told in located:
        where = _place(text, piece, told, file)
        bag.add(error("policy_invalid", path, told, where=where, remedy=_REMEDY))


def _piece(
    text: str, start: int, end: int, name: tuple[str, tuple[int, int]] | None, depth: int
) -> Piece:
    while start < end and (text[start].isspace() or text.startswith("//", start)):
        if text[start].isspace():
            start += 1
        else:
            remark = re.compile(_REMARK).match(text, start)
            assert remark is not None, "it begins so"
            start = min(remark.end(), end)
    return Piece(
        start=start,
        end=end,
        id=name[0] if name else None,
        id_at=name[1] if name else None,
        depth=depth,
    )


def _located(text: str, found: tuple[Piece, ...], check: CheckCedar) -> Iterator[tuple[Piece, str]]:
    for piece in found:
        for told in _once(check(text[piece.start : piece.end])):
            yield piece, told


def _too_deep(text: str, piece: Piece) -> bool:
    if piece.depth > DEPTH_MAX:
        return True
    words = _WORD.finditer(text, piece.start, piece.end)
    return sum(1 for word in words if word.group(1) is not None) > WORD_COUNT_MAX


def _once(told: Sequence[str]) -> list[str]:
    """Returns each thing that is wrong with one policy once, without what follows from the rest."""
    causes = sorted(one for one in told if not one.startswith(_FOLLOWS)) or sorted(told)
    families: dict[str, list[str]] = {}
    for one in causes:
        families.setdefault(_FANNED.sub("", one), []).append(one)
    return [few[0] if len(few) == 1 else short for short, few in families.items()]


def _bare(text: str) -> str:
    return re.sub(_REMARK, "", text)


def _place(text: str, piece: Piece, told: str, file: str) -> Span:
    """Returns what Cedar names, where it stands once in the policy; else the policy's first line."""
    body = text[piece.start : piece.end]
    for quoted, last in _NAMED.findall(told):
        named = quoted or last
        if body.count(named) == 1:
            at = piece.start + body.index(named)
            return span_at(file, text, at, at + len(named))
    line_end = text.find("\n", piece.start, piece.end)
    return span_at(file, text, piece.start, piece.end if line_end < 0 else line_end)


def _repeated_ids(text: str, found: tuple[Piece, ...], file: str, path: str, bag: Bag) -> None:
    first: dict[str, Piece] = {}
    for piece in found:
        if piece.id is None or piece.id_at is None:
            continue
        other = first.setdefault(piece.id, piece)
        if other is piece or other.id_at is None:
            continue
        where = span_at(file, text, *piece.id_at)
        related = (
            Related(where=span_at(file, text, *other.id_at), message="it stands first here"),
        )
        message = f"two policies have the id `{piece.id}`"
        bag.add(
            error(
                "policy_invalid",
                path,
                message,
                where=where,
                related=related,
                remedy="Rename one of them.",
            )
        )
