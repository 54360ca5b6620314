"""How operations say how they went: the few ways in which an `Envelope` is made."""

from collections.abc import Iterable
from typing import Protocol

from agentctl.diagnostics.bag import has_errors, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl_tools.operation import Envelope, Next
from agentctl_tools.remedies import remedy_calls


def failed(
    diagnostics: Iterable[Diagnostic], *, summary: str | None = None, data: object = None
) -> Envelope:
    """Returns the envelope of a call that did not do what was asked."""
    found = sort_diagnostics(diagnostics)
    first = next((d for d in found if d.severity == "error"), None)
    told = summary or (f"Refused: {first.code}." if first is not None else "It did not work.")
    return Envelope(ok=False, summary=told, data=data, diagnostics=found, next=remedy_calls(found))


def refused(code: str, path: str, message: str, *, remedy: str | None = None) -> Envelope:
    """Returns the envelope of a call that was refused for one reason."""
    return failed((error(code, path, message, remedy=remedy),))


def done(
    summary: str,
    *,
    data: object = None,
    diagnostics: Iterable[Diagnostic] = (),
    ok: bool | None = None,
    next_calls: tuple[Next, ...] = (),
    more: str | None = None,
) -> Envelope:
    """Returns the envelope of a call that ran; *ok* is decided by the diagnostics where not given."""
    found = sort_diagnostics(diagnostics)
    good = ok if ok is not None else not has_errors(found)
    return Envelope(
        ok=good, summary=summary, data=data, diagnostics=found, next=next_calls, more=more
    )


def count(number: int, one: str, many: str | None = None) -> str:
    """Returns e.g. ``1 change`` or ``3 changes``."""
    return f"{number} {one if number == 1 else many or one + 's'}"


class _Result(Protocol):
    """Any result struct of the engine."""

    @property
    def ok(self) -> bool: ...

    @property
    def diagnostics(self) -> tuple[Diagnostic, ...]: ...


def answer(
    result: _Result, summary: str, *, next_calls: tuple[Next, ...] = (), more: str | None = None
) -> Envelope:
    """Returns the envelope around a result struct, whose own verdict it takes over."""
    return Envelope(
        ok=result.ok,
        summary=summary,
        data=result,
        diagnostics=sort_diagnostics(result.diagnostics),
        next=next_calls or (() if result.ok else remedy_calls(result.diagnostics)),
        more=more,
    )
