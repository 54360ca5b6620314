"""Where things lie under a graph's root: storage keys, and locations of datasets.

Source: graph-engine 1. Keys are relative to the storage root.
"""

from typing import Final

import msgspec

from agentctl.ids import numbered, path_part

FORMAT_NAME: Final = "agentctl-graph"
FORMAT_VERSION: Final = 1
MAIN: Final = "main"
"""The branch that every graph has; Lance calls the one that every dataset has so as well."""
GRAPHS: Final = "graphs/"
ROOT_SUFFIX: Final = ".omni"


class Format(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """``_graph/format.json``: who may read and write the root."""

    format: str
    version: int


FORMAT_BYTES: Final = msgspec.json.encode(Format(format=FORMAT_NAME, version=FORMAT_VERSION))


def root(graph_id: str) -> str:
    """Returns the key of a graph's root, without trailing slash."""
    return f"{GRAPHS}{graph_id}{ROOT_SUFFIX}"


def format_key(graph_id: str) -> str:
    """Returns the key of ``format.json``."""
    return f"{root(graph_id)}/_graph/format.json"


def commits_prefix(graph_id: str, branch: str = MAIN) -> str:
    """Returns what the keys of a branch's commits begin with, slash included."""
    return f"{root(graph_id)}/_graph/commits/{path_part(branch)}/"


def commits_root(graph_id: str) -> str:
    """Returns what the keys of all commits of a graph begin with, slash included."""
    return f"{root(graph_id)}/_graph/commits/"


def names_prefix(graph_id: str) -> str:
    """Returns what the keys of the names of a root begin with, slash included."""
    return f"{root(graph_id)}/_graph/names/"


def commit_key(graph_id: str, number: int, branch: str = MAIN) -> str:
    """Returns the key of one commit."""
    return f"{commits_prefix(graph_id, branch)}{numbered(number)}.json"


def commit_id(number: int, branch: str = MAIN) -> str:
    """Returns a commit's id, ``<branch>:<n>``."""
    return f"{branch}:{number}"


def source_key(graph_id: str, source_digest: str, *, of: str = "") -> str:
    """Returns the key of a schema's exact text; *of* is `own_schemas` of a sandbox's trunk."""
    return f"{root(graph_id)}/_graph/schema/{of}{source_digest}.pg"


def ir_key(graph_id: str, digest: str, *, of: str = "") -> str:
    """Returns the key of a schema's IR; *of* is `own_schemas` of a sandbox's trunk."""
    return f"{root(graph_id)}/_graph/schema/{of}{digest}.json"


def own_schemas(branch: str) -> str:
    """Returns the folder of the schemas that only the sandbox of a real branch has, slash included.

    Empty for a branch that is of no sandbox: its schemas are the graph's.
    """
    first, _, rest = branch.partition("/")
    if first != "sandbox" or not rest:
        return ""
    trunk = f"{first}/{rest.partition('/')[0]}"
    return f"{path_part(trunk)}/"


def data_prefix(graph_id: str, incarnation: str) -> str:
    """Returns the key under which an incarnation's datasets lie, without trailing slash."""
    return f"{root(graph_id)}/data/{incarnation}"


def dataset_key(graph_id: str, incarnation: str, type_id: str) -> str:
    """Returns the key of the dataset of one type."""
    return f"{data_prefix(graph_id, incarnation)}/{type_id}.lance"


def graph_of(key: str) -> str | None:
    """Returns the graph whose root holds *key*, or None."""
    first, _, _ = key.removeprefix(GRAPHS).partition("/")
    if not key.startswith(GRAPHS) or not first.endswith(ROOT_SUFFIX):
        return None
    return first.removesuffix(ROOT_SUFFIX) or None


def ref_name(branch: str, number: int, nonce: str) -> str:
    """Returns how Lance's tags and branches name what belongs to one commit: ``<branch>.<n>.<nonce>``.

    Lance allows letters, digits, ``.``, ``-`` and ``_`` in one, so a ``_`` of the branch is doubled
    and a ``/`` is ``_-``: no two branches have one name.
    """
    return f"{branch.replace('_', '__').replace('/', '_-')}.{number}.{nonce}"


def branch_of_ref(name: str) -> str:
    """Returns the branch of the graph that a name by `ref_name` is of; `main` is its own.

    A branch of the graph alone writes to the Lance branches that bear its name, under its lease.
    """
    if name == MAIN:
        return MAIN
    escaped = name.rsplit(".", 2)[0]
    return "_".join(part.replace("_-", "/") for part in escaped.split("__"))


def number_of_ref(name: str) -> int:
    """Returns the number of the commit that a name by `ref_name` is of."""
    return int(name.rsplit(".", 2)[1])
