"""Reads a folder that is not as it was: parses what changed, and keeps the answer. Blocking."""

from pathlib import Path

from agentctl.adapters.cache.folder_cache import FolderCache
from agentctl.adapters.cache.grammar import grammar_version
from agentctl.adapters.sources.gathering import gather, read_cluster_file
from agentctl.diagnostics.bag import sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.answer import (
    CacheUse,
    FolderAnswer,
    Remembered,
    Tally,
    encode_remembered,
    snapshot_digest,
)
from agentctl.domain.config.compilers import Compilers, Languages
from agentctl.domain.config.digests import file_digest
from agentctl.domain.config.load import (
    LoadedCluster,
    ParsedConfig,
    parse_config,
    resolve,
    wanted,
)
from agentctl.domain.config.paths import CLUSTER_FILE
from agentctl.domain.config.remembered import Remembering
from agentctl.domain.config.snapshot import FolderSnapshot, Wanted
from agentctl.domain.policy.bundles import check_cedar
from agentctl.views.compat import config_additions


def load_folder(folder: Path, cache: FolderCache | None) -> tuple[FolderAnswer, Wanted, CacheUse]:
    """Returns the answer for *folder*, what it names, and what had to be read anew."""
    data = read_cluster_file(folder, overlay={}, confined=False)
    if isinstance(data, Diagnostic):
        return (
            FolderAnswer(ok=False, diagnostics=(data,)),
            Wanted(files=(), directories=()),
            CacheUse(),
        )
    parsed = parse_config(data)
    names = wanted(parsed)
    seen = gather(folder, names, data, overlay={}, confined=False)
    if cache is None:
        answer = _answer(_resolved(parsed, seen, Languages()))
        return answer, names, CacheUse(off="it was not asked for", files=len(seen.files))
    compilers = Remembering(cache, grammar=grammar_version())
    answer = _answer(_resolved(parsed, seen, compilers))
    cache.flush()
    _keep(cache, names, seen, answer)
    return answer, names, _use(cache, compilers.tally, len(seen.files))


def _resolved(parsed: ParsedConfig, seen: FolderSnapshot, compilers: Compilers) -> LoadedCluster:
    return resolve(parsed, seen, compilers, check_cedar=check_cedar, with_additions=True)


def _use(cache: FolderCache, tally: Tally, files: int) -> CacheUse:
    off = cache.off.reason if cache.off is not None else None
    return CacheUse(off=off, files=files, tally=tally)


def _answer(loaded: LoadedCluster) -> FolderAnswer:
    desired, written = loaded.desired, loaded.parsed.written
    fields = config_additions(written) if written is not None else ()
    return FolderAnswer(
        ok=desired is not None,
        resources=desired.resources if desired is not None else (),
        dependencies=desired.dependencies if desired is not None else (),
        diagnostics=sort_diagnostics([*loaded.diagnostics, *loaded.remarks]),
        additions=(*fields, *loaded.additions),
    )


def _keep(cache: FolderCache, wanted: Wanted, seen: FolderSnapshot, answer: FolderAnswer) -> None:
    remembered = Remembered(
        grammar=grammar_version(),
        cluster_file=file_digest(seen.files[CLUSTER_FILE]),
        wanted=wanted,
        snapshot=snapshot_digest(seen, confined=False),
        answer=answer,
    )
    cache.keep_answer(encode_remembered(remembered))
