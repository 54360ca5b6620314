"""Folders of the corpus: files as values, loaded as the engine loads them, without a disk."""

from collections.abc import Mapping
from typing import Final

from agentctl.diagnostics.bag import Bag, sort_diagnostics
from agentctl.diagnostics.diagnostic import Diagnostic
from agentctl.domain.config.blobs import deny_warnings
from agentctl.domain.config.load import LoadedCluster, parse_config, resolve, wanted
from agentctl.domain.config.policy_file import check_policy_file
from agentctl.domain.config.snapshot import FolderSnapshot, is_query_name
from agentctl.domain.policy.bundles import check_cedar
from agentctl.testing.corpus.answer import Answer

FOLDERS: Final = frozenset({"/tmp"})  # noqa: S108  # a name, never opened
"""Absolute folders that are taken to be there."""
_BOUND: Final = {"cluster": True, "graph": False}


def answer_folder(files: Mapping[str, bytes], marks: Mapping[str, frozenset[str]]) -> Answer:
    """Returns the folder that the files are.

    A file may be marked ``outside``, ``state``, ``unreadable`` or ``tracked``, which a disk would
    have found out; ``validate`` on cluster.yaml adds what only that command warns of.
    """
    loaded = load_files(files, marks)
    written = loaded.parsed.written
    if loaded.desired is None or written is None:
        return Answer(diagnostics=loaded.diagnostics)
    more = deny_warnings(loaded.desired, written) if "validate" in marks["cluster.yaml"] else ()
    return Answer(
        diagnostics=sort_diagnostics((*loaded.diagnostics, *more)),
        texts={"resources": lambda: _resources(loaded), "digest": lambda: _digests(loaded)},
    )


def load_files(
    files: Mapping[str, bytes], marks: Mapping[str, frozenset[str]] | None = None
) -> LoadedCluster:
    """Returns the cluster that a folder of exactly *files* declares."""
    marked = marks or {}

    def of(mark: str) -> frozenset[str]:
        return frozenset(f for f in files if mark in marked.get(f, ()))

    parsed = parse_config(files["cluster.yaml"])
    want = wanted(parsed)
    hidden = of("outside") | of("state") | of("unreadable")
    listings = {d: _listing(d, files) for d in want.directories}
    named = {"cluster.yaml", *(f for f in files if want.names(f))}
    snapshot = FolderSnapshot(
        files={f: files[f] for f in sorted(named - hidden)},
        listings=listings,
        environments=tuple(f for f in sorted(files) if _is_environment(f)),
        unreadable=dict.fromkeys(of("unreadable"), "Permission denied"),
        outside=of("outside"),
        state=of("state"),
        tracked=of("tracked"),
        folders=frozenset(f for f in want.folders if f in FOLDERS),
    )
    return resolve(parsed, snapshot, check_cedar=check_cedar)


def answer_policy(data: bytes, bound: str, file: str) -> tuple[Diagnostic, ...]:
    """Returns what is wrong with a policy file that is bound to a graph or to the cluster."""
    bag = Bag()
    check_policy_file(data, file=file, path="policy.p", cluster_bound=_BOUND.get(bound), bag=bag)
    return bag.sorted()


def _is_environment(file: str) -> bool:
    return file.startswith("cluster.") and file.endswith(".yaml") and file != "cluster.yaml"


def _listing(directory: str, files: Mapping[str, bytes]) -> tuple[str, ...] | None:
    prefix = "" if directory == "." else f"{directory}/"
    inside = [f.removeprefix(prefix) for f in files if f.startswith(prefix)]
    if directory in files or not inside:
        return None
    return tuple(sorted(f for f in inside if is_query_name(f) and "/" not in f))


def _resources(loaded: LoadedCluster) -> str:
    """Returns the addresses with their kinds and paths, then the edges between them."""
    assert loaded.desired is not None
    lines = [
        f"{r.address} {r.kind}{f' {r.path}' if r.path else ''}" for r in loaded.desired.resources
    ]
    lines += [f"{d.source} -> {d.target}" for d in loaded.desired.dependencies]
    return "".join(line + "\n" for line in lines)


def _digests(loaded: LoadedCluster) -> str:
    assert loaded.desired is not None
    lines = [f"{address} {digest}" for address, digest in loaded.desired.resource_digests.items()]
    return "".join(line + "\n" for line in (*lines, f"config {loaded.desired.config_digest}"))
