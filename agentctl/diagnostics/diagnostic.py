"""One thing to tell a person or an agent: what, where, why, what to do. Source: control-plane 3.6."""

from typing import Literal

import msgspec

from agentctl.diagnostics.codes import CODES
from agentctl.diagnostics.span import Span

Severity = Literal["error", "warning", "note"]


class Related(msgspec.Struct, frozen=True, kw_only=True):
    """Another place that matters, and what it says."""

    where: Span
    message: str


class Diagnostic(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """A collected mistake or remark; never an exception."""

    code: str
    """A stable name of the registry `codes.CODES`."""
    severity: Severity
    path: str
    """The typed address where there is one, else the file or the field."""
    message: str
    """One line."""
    rule: str | None = None
    """The language's own number, e.g. ``T5`` or ``T15:hop-bounds``."""
    detail: str | None = None
    """What, and why it matters, in sentences."""
    where: Span | None = None
    related: tuple[Related, ...] = ()
    remedy: str | None = None
    """An instruction, or a command on its own line."""

    def __post_init__(self) -> None:
        assert self.code in CODES, f"diagnostic code {self.code} is not in the registry"


def error(code: str, path: str, message: str, **more: object) -> Diagnostic:
    """Returns an error; *more* are the optional fields of `Diagnostic`."""
    return Diagnostic(code=code, severity="error", path=path, message=message, **more)  # type: ignore[arg-type]  # forwarded fields


def warning(code: str, path: str, message: str, **more: object) -> Diagnostic:
    """Returns a warning; *more* are the optional fields of `Diagnostic`."""
    return Diagnostic(code=code, severity="warning", path=path, message=message, **more)  # type: ignore[arg-type]  # forwarded fields


def note(code: str, path: str, message: str, **more: object) -> Diagnostic:
    """Returns a note; *more* are the optional fields of `Diagnostic`."""
    return Diagnostic(code=code, severity="note", path=path, message=message, **more)  # type: ignore[arg-type]  # forwarded fields
