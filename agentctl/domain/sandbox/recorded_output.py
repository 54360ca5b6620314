"""What is kept and shown of a command's output: text, without secrets. Pure. Acceptance case 9."""

from typing import Final

from agentctl.domain.sandbox.provider import CommandOutcome
from agentctl.domain.sandbox.secret_tokens import Register

_WORD_BYTES_MAX: Final = 4096


def recorded(outcome: CommandOutcome, register: Register) -> tuple[str, str, Register]:
    """Returns stdout and stderr as text with tokens, and the register that knows them.

    A byte that is no UTF-8 is escaped. Where output was dropped, a line at its end says how much; its last word goes as well, since it may
    be the beginning of a secret, which nothing would know. What one stream names
    as a secret is not shown in the other.
    """
    out, out_dropped = _whole(outcome.stdout, outcome.stdout_dropped)
    err, err_dropped = _whole(outcome.stderr, outcome.stderr_dropped)
    stdout, from_out = register.redact(out, fresh=True)
    stderr, register = from_out.redact(err, fresh=True)
    if register.knows_more_than(from_out):
        stdout, register = register.redact(out, fresh=True)
    stdout, stderr = _told(stdout, out_dropped), _told(stderr, err_dropped)
    return stdout, stderr, register


def _whole(data: bytes, dropped: int) -> tuple[str, int]:
    """Returns the text of the whole words, and how many bytes are not in it."""
    end = len(data)
    if dropped:
        word = max(data.rfind(b" "), data.rfind(b"\n")) + 1
        end = max(word, len(data) - _WORD_BYTES_MAX)
    return data[:end].decode("utf-8", "backslashreplace"), dropped + len(data) - end


def _told(text: str, dropped: int) -> str:
    if not dropped:
        return text
    line_end = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{line_end}[{dropped} more bytes were dropped]\n"
