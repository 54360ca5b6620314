"""An apply as it runs, one line a finished step, on stderr."""

import sys
from collections.abc import Awaitable, Callable
from typing import Any


def teller() -> Callable[[Any], Awaitable[None]]:
    """Returns what says each event of an apply to a person."""

    async def tell(event: Any) -> None:  # noqa: ANN401  # an ApplyEvent, which is the engine's
        if event.kind == "step_started":
            sys.stderr.write(f"{event.operation} {event.resource} …\n")
        elif event.kind == "step_finished" and event.outcome != "done":
            reason = f" ({event.reason})" if event.reason else ""
            sys.stderr.write(f"{event.operation} {event.resource}: {event.outcome}{reason}\n")
        sys.stderr.flush()

    return tell
