"""`validate` of a folder, once or at every edit: prints what was found, and ends or waits.

Imports nothing that opens a cluster, so that a folder that did not change is answered at once.
"""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import msgspec

from agentctl.faces.cli.exit_codes import ExitCode, exit_code
from agentctl.faces.cli.options import Settings
from agentctl.faces.cli.printing import print_diagnostics, print_json, say
from agentctl_tools.folder_check import FolderCheck, check

if TYPE_CHECKING:
    from agentctl.domain.config.answer import CacheUse


class Wishes(msgspec.Struct, frozen=True, kw_only=True):
    """What was asked of one `validate`."""

    cached: bool = True
    compat: bool = False
    verbose: bool = False
    concise: bool = False


def run_check(settings: Settings, wishes: Wishes) -> NoReturn:
    """Looks at the folder once, prints and exits."""
    try:
        found = checked(settings.config, wishes)
    except Exception as bug:  # noqa: BLE001  # the outermost loop
        from agentctl.faces.cli.session import Ended, finish, internal_error
        from agentctl_tools.envelopes import failed

        finish(Ended(envelope=failed((internal_error(bug),), summary="A bug.")), settings)
    tell(found, settings, wishes)
    sys.exit(ending(found))


def checked(folder: Path, wishes: Wishes) -> FolderCheck:
    """Returns what was found."""
    return check(folder, cached=wishes.cached, compat=wishes.compat)


def ending(found: FolderCheck) -> ExitCode:
    """Returns what the process's end says."""
    return exit_code(ok=found.result.ok, diagnostics=found.result.diagnostics)


def tell(found: FolderCheck, settings: Settings, wishes: Wishes) -> None:
    """Prints the result: data on stdout, talk on stderr."""
    if settings.as_json:
        print_json(found.result)
    else:
        from agentctl.views.validate_text import validate_text

        sys.stdout.write(validate_text(found.result))
        print_diagnostics(found.result.diagnostics, folder=settings.config, concise=wishes.concise)
    if wishes.verbose:
        say(cache_line(found.use))


def cache_line(use: "CacheUse") -> str:
    """Returns how the cache served, in one line."""
    if use.off is not None:
        return f"Cache: none, because {use.off}."
    if use.whole:
        return f"Cache: all {use.files:,} files are as they were; nothing was read anew."
    tally = use.tally
    anew = tally.schemas_compiled + tally.query_files_parsed
    told = f"Cache: of {use.files:,} files {anew:,} were parsed"
    told += f", {tally.query_files_checked:,} checked over their schema"
    return f"{told}; {tally.refused:,} entries did not hold." if tally.refused else f"{told}."
