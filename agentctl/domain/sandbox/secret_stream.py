"""Takes secrets out of a text that comes in pieces, wherever the pieces are cut. Pure.

Text goes on in whole lines, and only at a line's end where no secret can be open: no private key
without its end, no block or base64 that may have a further line, no known text of several lines.
Where the cuts between segments are follows from the text alone, so that the same text in other
pieces gives the same result. A value which is named only later in the stream goes on as it is
before that, which `Register.redact` over the whole text would not let happen.
"""

import re
from typing import Final

import msgspec

from agentctl.domain.sandbox.secret_tokens import Register

SEGMENT_LENGTH_MAX: Final = 1 << 16
"""Characters after which text that never comes to such an end is covered whole."""
OVERSIZED: Final = "OVERSIZED"

_KEY_WORDS: Final = "-----BEGIN "
_KEY_ENDS: Final = re.compile(r"-----END [A-Z ]*-----")
_BASE64_LINE: Final = re.compile(r"[ \t]*[A-Za-z0-9+/_-]{60,}[ \t\r]*")
_OPEN_BLOCK: Final = re.compile(
    r"^(?P<indent>[ ]*)(?:-[ ]+)?[\"']?[\w.-]+[\"']?[ ]*:[ ]*[|>][+-]?[ ]*\n"
    r"(?:(?P=indent)[ ]+[^\n]*\n)*\Z",
    re.MULTILINE,
)


class StreamRedactor(msgspec.Struct, frozen=True, kw_only=True):
    """Where a stream is: `feed` and `end` return what may go on, and the next of these."""

    register: Register
    held: str = ""
    """What came and has not gone on."""
    looked: int = 0
    """Up to where it is known that no segment ends."""
    is_over: bool = False
    """The segment before was too long, so that its rest is covered as well."""

    def __repr__(self) -> str:
        return f"<StreamRedactor that holds {len(self.held)} characters>"

    def feed(self, piece: str) -> "tuple[str, StreamRedactor]":
        """Returns what may go on after a further piece."""
        at = msgspec.structs.replace(self, held=self.held + piece)
        parts: list[str] = []
        while True:
            part, at, is_done = at._next()  # noqa: SLF001  # the next of the same
            if is_done:
                return "".join(parts), at
            parts.append(part)

    def end(self) -> tuple[str, Register]:
        """Returns the rest, and the register that knows every token."""
        if not self.held:
            return "", self.register
        if self.is_over:
            return self.register.cover(self.held, OVERSIZED)
        return self.register.redact(self.held, fresh=True)

    def _next(self) -> "tuple[str, StreamRedactor, bool]":
        """Returns one segment, if there is one."""
        looked = self.looked
        while (newline := self.held.find("\n", looked, SEGMENT_LENGTH_MAX)) >= 0:
            looked = newline + 1
            if not _is_open(self.held[:looked], self.register):
                return (*self._through(looked, is_over=False), False)
        if len(self.held) >= SEGMENT_LENGTH_MAX:
            return (*self._through(SEGMENT_LENGTH_MAX, is_over=True), False)
        return "", msgspec.structs.replace(self, looked=looked), True

    def _through(self, end: int, *, is_over: bool) -> "tuple[str, StreamRedactor]":
        segment, rest = self.held[:end], self.held[end:]
        if is_over or self.is_over:
            text, register = self.register.cover(segment, OVERSIZED)
        else:
            text, register = self.register.redact(segment, fresh=True)
        return text, StreamRedactor(register=register, held=rest, is_over=is_over)


def _is_open(segment: str, register: Register) -> bool:
    """Returns whether a secret may go on after a segment, which ends with a line's end."""
    last = segment[segment.rfind("\n", 0, -1) + 1 : -1]
    if _BASE64_LINE.fullmatch(last) is not None:
        return True
    begun = segment.rfind(_KEY_WORDS)
    if begun >= 0 and _KEY_ENDS.search(segment, begun) is None:
        return True
    return _OPEN_BLOCK.search(segment) is not None or register.may_go_on(segment)
