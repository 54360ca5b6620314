"""Remembers, on this machine, of which requests people were told what: nobody is told twice.

Files of no content below ``$XDG_STATE_HOME/agentctl/told``. Losing them tells somebody once more.
"""

import contextlib
from collections.abc import Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from agentctl.adapters.notify.deliver import deliver
from agentctl.adapters.notify.profile import profile_path, read_targets
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.approval.notices import Event, Notice
from agentctl.instants import parse_instant

ONCE: Final[frozenset[Event]] = frozenset({"requested", "half_time", "expiring"})
KEPT: Final = timedelta(days=30)
"""No request lives longer by any sensible rule; what is older is forgotten."""


def told_folder(environ: Mapping[str, str], home: Path) -> Path:
    """Returns where it is remembered, in ``~/.local/state`` where XDG says nothing."""
    base = environ.get("XDG_STATE_HOME", "")
    state = Path(base) if base.startswith("/") else home / ".local" / "state"
    return state / "agentctl" / "told"


async def tell(notice: Notice, environ: Mapping[str, str], home: Path) -> tuple[Diagnostic, ...]:
    """Tells whom the operator's profile names, of each request each thing once.

    Never raises and never blocks for long: what did not work comes back as warnings.
    """
    found = read_targets(profile_path(environ, home))
    if not found.targets:
        return found.diagnostics
    if notice.event in ONCE and not _first(told_folder(environ, home), notice):
        return ()
    return await deliver(notice, found.targets, environ)


def _first(folder: Path, notice: Notice) -> bool:
    """Returns whether nobody was told this yet, and remembers it. What cannot be remembered is told."""
    mark = folder / notice.cluster_id / f"{notice.request_id}.{notice.event}"
    try:
        mark.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        mark.touch(mode=0o600, exist_ok=False)
    except FileExistsError:
        return False
    except OSError:
        return True
    _forget(mark.parent, parse_instant(notice.at))
    return True


def _forget(folder: Path, now: datetime) -> None:
    horizon = (now - KEPT).timestamp()
    for mark in folder.iterdir():
        with contextlib.suppress(OSError):
            if mark.stat().st_mtime < horizon:
                mark.unlink()
