"""What ends a publication early: one exception with what to tell, and how foreign words become safe."""

from collections.abc import Iterable
from typing import Final

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.ops.redaction import REDACTED, redact_text
from agentctl.foreign import Foreign, show

SAID_CELLS_MAX: Final = 1_000
SAID_LINES_MAX: Final = 20


class PublishingError(Exception):
    """The next step was not done; `diagnostic` says why, and holds no secret."""

    def __init__(self, diagnostic: Diagnostic) -> None:
        super().__init__(diagnostic.message)
        self.diagnostic = diagnostic


def stopped(
    *, code: str, path: str, message: str, said: str | None = None, remedy: str
) -> PublishingError:
    """Returns the failure; *said* are words of another program, made safe by `safe_words`."""
    return PublishingError(error(code, path, message, detail=said or None, remedy=remedy))


def safe_words(text: str, *, secrets: Iterable[str] = (), multiline: bool = True) -> str:
    """Returns what another program said, bounded, without secrets, and with nothing in it that acts."""
    for secret in secrets:
        if secret:
            text = text.replace(secret, REDACTED)
    return show(
        Foreign(redact_text(text.strip())),
        limit=SAID_CELLS_MAX,
        multiline=multiline,
        lines_max=SAID_LINES_MAX,
    )
