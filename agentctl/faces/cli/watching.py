"""`validate --watch`: prints the result, and again after each edit, until Ctrl-C."""

import sys
import time
from collections.abc import Iterable, Iterator
from typing import Final, NoReturn

from agentctl.faces.cli.exit_codes import ExitCode
from agentctl.faces.cli.folder_checks import Wishes, checked, tell
from agentctl.faces.cli.options import Settings
from agentctl.faces.cli.printing import print_json_line, say
from agentctl.views.wording import counted, safe
from agentctl_tools.folder_watch import FolderWatch, Seen

TURN_S: Final = 0.1
_NAMED_MAX: Final = 3


def run_watch(settings: Settings, wishes: Wishes) -> NoReturn:
    """Watches the folder until Ctrl-C."""
    try:
        watch(settings, wishes, turns())
    except KeyboardInterrupt:
        say("")
        sys.exit(ExitCode.INTERRUPTED)
    sys.exit(ExitCode.DONE)


def turns() -> Iterator[None]:
    """Yields ten times a second, for ever."""
    while True:
        yield
        time.sleep(TURN_S)


def watch(settings: Settings, wishes: Wishes, when: Iterable[None]) -> None:
    """Prints the result at the first turn, and at each that follows an edit.

    Args:
        settings: the folder, and whether documents are printed.
        wishes: what was asked of each check.
        when: yields at each turn, and ends the watch where it ends.
    """
    watching = FolderWatch(settings.config, lambda: checked(settings.config, wishes))
    for _ in when:
        seen = watching.turn()
        if seen is not None:
            _tell(seen, settings, wishes)


def _tell(seen: Seen, settings: Settings, wishes: Wishes) -> None:
    if settings.as_json:
        print_json_line(seen.found.result)
    else:
        if seen.edited:
            say(f"\n{_edit(seen.edited)}")
        tell(seen.found, settings, wishes)
        say("Watching; Ctrl-C ends it.")
    sys.stdout.flush()


def _edit(paths: tuple[str, ...]) -> str:
    named = ", ".join(safe(path) for path in paths[:_NAMED_MAX])
    rest = len(paths) - _NAMED_MAX
    return f"Edited: {named}" + (f" and {counted(rest, 'more')}." if rest > 0 else ".")
