"""`reconcile` as text: one line for each transition, on which nothing foreign acts."""

from collections.abc import Sequence
from typing import Final

from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.reconcile.telling import Told, Transition
from agentctl.views.wording import counted, safe

_NAMED_MAX: Final = 3


def transition_text(line: Transition) -> str:
    """Returns the line, without its end."""
    head = f"{line.at}  {line.phase:<8}"
    reason = f"  {line.why}: {line.message}" if line.why is not None else f"  {line.message}"
    about = [f" {safe(line.gate)}"] if line.gate is not None else []
    about += [f"; {part}" for part in _parts(line.told)]
    if line.retry_in_s is not None:
        about.append(f"; again in {_seconds(line.retry_in_s)} at the latest")
    return head + reason + "".join(about)


def _parts(told: Told) -> list[str]:
    parts: list[str] = []
    if told.done:
        op = f" by op {safe(told.op)}" if told.op is not None else ""
        parts.append(f"{counted(told.done, 'change')} done{op}")
    if told.drifted:
        parts.append(f"drift: {_named(told.drifted)}")
    if told.waiting:
        parts.append(f"waits for a human: {_named(told.waiting)}")
    if told.diagnostics:
        parts.append(_first(told.diagnostics))
    return parts


def _first(found: Sequence[Diagnostic]) -> str:
    rest = len(found) - 1
    more = f" (and {rest} more)" if rest else ""
    return f"{found[0].code} {safe(found[0].path)}: {safe(found[0].message)}{more}"


def _named(names: Sequence[str]) -> str:
    rest = len(names) - _NAMED_MAX
    shown = ", ".join(safe(name) for name in names[:_NAMED_MAX])
    return shown + (f" and {rest} more" if rest > 0 else "")


def _seconds(seconds: float) -> str:
    return f"{seconds:.0f} s" if seconds >= 10 else f"{seconds:.1f} s"
