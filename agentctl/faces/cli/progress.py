"""An apply as it runs, as plain lines on stderr."""

from collections.abc import Awaitable, Callable
from typing import Any

from agentctl.faces.cli.printing import say
from agentctl.views.apply_text import event_line


def teller() -> Callable[[Any], Awaitable[None]]:
    """Returns what says each event of an apply to a person."""

    async def tell(event: Any) -> None:  # noqa: ANN401  # an ApplyEvent, which is the engine's
        line = event_line(event)
        if line is not None:
            say(line)

    return tell
