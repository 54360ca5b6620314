"""What is kept and shown of a command's output: text, without secrets. Pure. Acceptance case 9."""

from agentctl.domain.sandbox.provider import CommandOutcome
from agentctl.domain.sandbox.secret_tokens import Register


def recorded(outcome: CommandOutcome, register: Register) -> tuple[str, str, Register]:
    """Returns stdout and stderr as text with tokens, and the register that knows them; a byte that is no UTF-8 is escaped.

    Where output was dropped, a line at its end says how much. Both streams are redacted until each
    knows the secrets of the other, so that one named in stderr is not shown in stdout.
    """
    out, err = _text(outcome.stdout), _text(outcome.stderr)
    _, register = register.redact(out, fresh=True)
    _, register = register.redact(err, fresh=True)
    stdout, register = register.redact(out, fresh=True)
    stderr, register = register.redact(err, fresh=True)
    stdout, stderr = _told(stdout, outcome.stdout_dropped), _told(stderr, outcome.stderr_dropped)
    return stdout, stderr, register


def _text(data: bytes) -> str:
    return data.decode("utf-8", "backslashreplace")


def _told(text: str, dropped: int) -> str:
    if not dropped:
        return text
    line_end = "" if not text or text.endswith("\n") else "\n"
    return f"{text}{line_end}[{dropped} more bytes were dropped]\n"
