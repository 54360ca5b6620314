"""`validate` of a folder alone: no cluster is opened, no storage looked at, nothing written but cache.

Blocking, and light to import: what reads the languages is loaded only where something changed. An
answer is remembered for the bytes it was given for; it says whether a folder is right and grants
nothing, so `plan` and `apply` never ask for it. Source: ADR 7.
"""

import hashlib
import os
from pathlib import Path

import msgspec

from agentctl.adapters.cache.folder_cache import FolderCache
from agentctl.adapters.cache.grammar import grammar_version
from agentctl.adapters.sources.gathering import gather, read_cluster_file
from agentctl.domain.config.answer import (
    CacheUse,
    FolderAnswer,
    Remembered,
    decode_remembered,
    snapshot_digest,
)
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.domain.config.snapshot import FolderSnapshot, Wanted
from agentctl.engine.results import ValidateResult
from agentctl.languages.text.addition import Addition


class FolderCheck(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder declares, or every mistake of it."""

    result: ValidateResult
    additions: tuple[Addition, ...]
    """What OmniGraph 0.10 does not have or reads otherwise, by place."""
    use: CacheUse
    wanted: Wanted
    """What cluster.yaml names; nothing where it could not be read."""


def check_folder(folder: Path, cache: FolderCache | None) -> FolderCheck:
    """Returns whether *folder* is right in itself; without a *cache* everything is read anew."""
    known = _known(cache)
    if known is not None:
        seen = _seen(folder, known.wanted, cluster_file=known.cluster_file)
        if seen is not None and snapshot_digest(seen, confined=False) == known.snapshot:
            use = CacheUse(whole=True, files=len(seen.files))
            return _told(folder, known.answer, known.wanted, use)
    from agentctl.engine.folder_load import load_folder

    return _told(folder, *load_folder(folder, cache))


def _known(cache: FolderCache | None) -> Remembered | None:
    """Returns the answer that was kept last, if this code gave it."""
    entry = cache.answer() if cache is not None else None
    known = decode_remembered(entry) if entry is not None else None
    return known if known is not None and known.grammar == grammar_version() else None


def _seen(folder: Path, wanted: Wanted, *, cluster_file: str) -> FolderSnapshot | None:
    """Returns what is there of what the same cluster.yaml wanted; None where it is another one."""
    data = read_cluster_file(folder, overlay={}, confined=False)
    if not isinstance(data, bytes) or hashlib.sha256(data).hexdigest() != cluster_file:
        return None
    return gather(folder, wanted, data, overlay={}, confined=False)


def _told(folder: Path, answer: FolderAnswer, wanted: Wanted, use: CacheUse) -> FolderCheck:
    place = os.path.abspath(folder)  # noqa: PTH100  # keeps links, unlike resolve()
    result = ValidateResult(
        ok=answer.ok,
        config_dir=place,
        config_file=f"{place}/{CLUSTER_FILE}",
        resource_digests={r.address: r.digest for r in answer.resources},
        resources=answer.resources,
        dependencies=answer.dependencies,
        diagnostics=answer.diagnostics,
    )
    return FolderCheck(result=result, additions=answer.additions, use=use, wanted=wanted)
