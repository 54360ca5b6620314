"""Tells the arrows that other languages write traversals with, and how they are written here.

``$a -[e]-> $b`` is ``$a e $b``, and ``$a <-[e]- $b`` is ``$b e $a``.
"""

from typing import Final

import msgspec

from agentctl.languages.query.recovery import NAMES
from agentctl.languages.text.cursor import Cursor
from agentctl.languages.text.token import Token, TokenKind

_ARROW_LENGTH_MAX: Final = 24
"""Tokens of an arrow with what stands in its brackets."""
_DASHES: Final = frozenset({"-", "->"})
_MARK: Final = TokenKind.MARK
_VARIABLE: Final = TokenKind.VARIABLE
_LOWER: Final = TokenKind.LOWER


class Arrow(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """An arrow and the variable that it reaches."""

    place: tuple[int, int]
    remedy: str
    length: int
    """Tokens, the variable at its end included where there is one."""


def arrow_comes(cursor: Cursor, ahead: int) -> bool:
    """Whether the token *ahead* begins an arrow; ``<`` and ``-`` alone do not."""
    first, second = cursor.peek(ahead), cursor.peek(ahead + 1)
    if first.kind is not _MARK:
        return False
    if first.text == "<":
        return second.is_mark("-") and (
            cursor.at_mark("[", ahead + 2) or cursor.at_mark("-", ahead + 2)
        )
    if first.text == "-":
        named = second.kind is _LOWER and cursor.peek(ahead + 2).text in _DASHES
        return named or second.is_mark("[") or (second.kind is _MARK and second.text in _DASHES)
    return first.text == "->"


def read_arrow(cursor: Cursor, left: Token) -> Arrow:
    """Returns the arrow that comes next, behind the variable *left*; takes nothing."""
    first = last = cursor.peek()
    found: list[Token] = []
    end: Token | None = None
    inside = False
    while len(found) < _ARROW_LENGTH_MAX:
        token = cursor.peek(len(found))
        after = cursor.peek(len(found) + 1)
        if token.kind is TokenKind.END or not (inside or _is_of_arrow(token, after)):
            break
        found.append(token)
        if token.kind is _VARIABLE and not inside:
            end = token
            break
        inside = (inside or token.text == "[") and token.text != "]"
        last = token
    names = [t.text for t in found if t.kind in NAMES]
    edge = names[-1][:1].lower() + names[-1][1:50] if names else "knows"
    bound = [f"${t.text[:50]}:" for t in found if t.kind is _VARIABLE and t is not end]
    near, far = f"${left.text[:50]}", f"${end.text[:50]}" if end is not None else "$b"
    forward, backward = any(t.text == "->" for t in found), first.text == "<"
    if forward is backward:
        edge = f"<{edge}>"
    elif backward:
        near, far = far, near
    written = f"{near} {bound[0] if bound else ''}{edge} {far}"
    return Arrow(
        place=(first.start, last.end),
        remedy=f"An edge is written by its name: `{written}`.",
        length=len(found),
    )


def _is_of_arrow(token: Token, after: Token) -> bool:
    """Whether an arrow goes on with *token*, outside its brackets."""
    if token.kind is _MARK:
        return token.text in _DASHES or token.text in {"<", ">", "["}
    return token.kind is _VARIABLE or after.text in _DASHES
