"""Paths of a cluster folder: their one spelling, and which are never config.

Source: control-plane 3.1 (Confinement) and 3.7.
"""

from typing import Final

CLUSTER_FILE: Final = "cluster.yaml"
STATE_FOLDERS: Final = frozenset({"__cluster", "graphs", "ops", "sandboxes"})
PATH_LENGTH_MAX: Final = 1024


def normal_path(written: str) -> str:
    """Returns *written* without ``.``, empty and resolvable ``..`` parts, ``/``-separated.

    A relative path that leaves the folder keeps its leading ``..``; an absolute one stays so.
    """
    parts: list[str] = []
    for part in written.split("/"):
        if part in {"", "."}:
            continue
        if part == ".." and parts and parts[-1] != "..":
            parts.pop()
        elif part != ".." or not written.startswith("/"):
            parts.append(part)
    body = "/".join(parts)
    return f"/{body}" if written.startswith("/") else body or "."


def leaves_folder(path: str) -> bool:
    """Returns whether a normal path is absolute or begins above the folder."""
    return path == ".." or path.startswith(("/", "../"))


def is_state_path(path: str) -> bool:
    """Returns whether a normal path relative to the folder is state, data or a secrets file."""
    parts = [part.casefold() for part in path.split("/")]
    return (
        parts[0] in STATE_FOLDERS
        or "__cluster" in parts
        or any(part.startswith(".env") for part in parts)
    )


def is_environment_file(path: str) -> bool:
    """Returns whether a normal path is ``cluster.<env>.yaml``."""
    return (
        "/" not in path
        and path != CLUSTER_FILE
        and path.startswith("cluster.")
        and path.endswith(".yaml")
        and len(path) > len("cluster..yaml")
    )


def path_fault(written: str) -> str | None:
    """Returns why *written* can be no path at all, or None."""
    if not written.strip():
        return "a path may not be blank"
    if any(ord(character) < 32 or ord(character) == 127 for character in written):
        return "a path may not hold control characters"
    if len(written.encode("utf-8", "surrogatepass")) > PATH_LENGTH_MAX:
        return f"a path may have at most {PATH_LENGTH_MAX} bytes"
    return None
