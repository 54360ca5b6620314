"""Tokens of both languages. Their kinds are public, so that a screen can highlight the text."""

import enum

import msgspec


class TokenKind(enum.Enum):
    """What a token is; the value names it in a message."""

    UPPER = "a type name"
    """``[A-Z][A-Za-z0-9_]*``"""
    LOWER = "a name"
    """``[a-z_][A-Za-z0-9_]*``; keywords are names too, the parsers know them."""
    VARIABLE = "a variable"
    """``$[a-z_][A-Za-z0-9_]*``"""
    STRING = "a text"
    INTEGER = "an integer"
    """Digits without a sign."""
    FLOAT = "a number"
    """Digits with a fraction or an exponent, without a sign."""
    MARK = "a mark"
    """Punctuation and operators."""
    BAD = "a broken token"
    """Reported by the lexer already."""
    END = "the end of the file"

    __hash__ = object.__hash__
    """Members are equal only to themselves; the parsers look them up in sets all the time."""


class Token(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One token and where it stands."""

    kind: TokenKind
    text: str
    """As written; of a `STRING` the value without quotes and escapes, of a `VARIABLE` the name
    without the dollar sign."""
    start: int
    """Offset of its first character."""
    end: int

    def is_mark(self, text: str) -> bool:
        """Returns whether this is that punctuation."""
        return self.kind is TokenKind.MARK and self.text == text

    def is_word(self, text: str) -> bool:
        """Returns whether this is that word in lower case."""
        return self.kind is TokenKind.LOWER and self.text == text

    def describe(self) -> str:
        """Returns how a message names it; never more than 60 characters, all printable ASCII."""
        match self.kind:
            case TokenKind.END | TokenKind.STRING | TokenKind.BAD:
                return str(self.kind.value)
            case TokenKind.VARIABLE:
                return f"`${_short(self.text)}`"
            case _:
                return f"`{_short(self.text)}`"


def _short(text: str) -> str:
    return text if len(text) <= 50 else text[:49] + "..."
