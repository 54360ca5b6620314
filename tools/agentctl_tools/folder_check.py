"""`validate` of a folder alone. Local: a folder needs no cluster to be looked at, and no storage.

Light to import, since a folder that did not change is answered in the time that Python takes to
start. What is remembered lies in the user's cache folder.
"""

import os
from pathlib import Path

import msgspec

from agentctl.adapters.cache.folder_cache import FolderCache
from agentctl.adapters.cache.private_folder import cache_folder
from agentctl.diagnostics.bag import has_errors, sort_diagnostics
from agentctl.engine.folder_check import FolderCheck, check_folder

__all__ = ["FolderCheck", "cache_of", "check"]


def check(folder: Path, *, cached: bool = True, compat: bool = False) -> FolderCheck:
    """Returns whether *folder* is right in itself, and every mistake of it.

    Args:
        folder: the cluster folder.
        cached: whether what is remembered may be used, and kept.
        compat: whether what OmniGraph 0.10 refuses is an error too.
    """
    found = check_folder(folder, cache_of(folder) if cached else None)
    return _compared(found) if compat else found


def cache_of(folder: Path) -> FolderCache | None:
    """Returns what this user's cache remembers of *folder*; None for a user without a home."""
    try:
        home = Path.home()
    except RuntimeError:
        return None
    return FolderCache(cache_folder(os.environ, home), folder)


def _compared(found: FolderCheck) -> FolderCheck:
    from agentctl.views.compat import refused_by_omnigraph

    result = found.result
    diagnostics = (*result.diagnostics, *refused_by_omnigraph(found.additions))
    compared = msgspec.structs.replace(
        result,
        ok=result.ok and not has_errors(diagnostics),
        diagnostics=sort_diagnostics(diagnostics),
    )
    return msgspec.structs.replace(found, result=compared)
