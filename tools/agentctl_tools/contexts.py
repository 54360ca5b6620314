"""The operator's contexts: which cluster is meant, where its door is, and with which token.

``$XDG_CONFIG_HOME/agentctl/contexts.json``, mode 0600, written by `agentctl context` alone. It holds
no secret: a token stands in a file of its own that it names. The cluster's id is pinned, so that
another cluster behind the same address is noticed. Source: access-and-faces 3.5.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Final, Literal

import msgspec

from agentctl.adapters.wire.posting import address_fault
from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.ids import is_resource_id

CONTEXTS: Final = "contexts.json"
_BYTES_MAX: Final = 1 << 20
TOKEN_BYTES_MAX: Final = 16_384
"""Of a file that holds a token."""


class Context(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One cluster behind a door elsewhere."""

    url: str
    """``https://…``, ``http://`` of this machine, or ``unix:/path``."""
    cluster_id: str
    """SHA-256 of the first record of its principals chain."""
    token_file: str
    """Holds the token; whole path."""
    key: str | None = None
    """Public key that its human decides with; None for whichever is at hand."""


class Contexts(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The file."""

    version: Literal[1] = 1
    current: str | None = None
    """What is meant where the command line names neither a context nor a folder."""
    contexts: Mapping[str, Context] = msgspec.field(default_factory=dict)


def contexts_path(environ: Mapping[str, str], home: Path) -> Path:
    """Returns where the operator's contexts are, in ``~/.config`` where XDG says nothing."""
    base = environ.get("XDG_CONFIG_HOME", "")
    return (Path(base) if base.startswith("/") else home / ".config") / "agentctl" / CONTEXTS


def own_contexts_path() -> Path:
    """Returns where this process's operator has them."""
    return contexts_path(os.environ, Path.home())


def read_contexts(path: Path) -> Contexts | Diagnostic:
    """Returns the contexts; none where there is no file."""
    try:
        with path.open("rb") as file:
            data = file.read(_BYTES_MAX + 1)
        found = msgspec.json.decode(data, type=Contexts)
    except FileNotFoundError:
        return Contexts()
    except (OSError, msgspec.DecodeError, UnicodeError) as failure:
        return _invalid(path, str(failure))
    for name, one in found.contexts.items():
        fault = context_fault(name, one.url)
        if fault is not None:
            return _invalid(path, f"{name!a:.80}: {fault.message}")
    if found.current is not None and found.current not in found.contexts:
        return _invalid(path, "the current one is not among them")
    return found


def write_contexts(path: Path, contexts: Contexts) -> None:
    """Replaces the file at once; a reader sees the old one or the new one."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    handle = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    with os.fdopen(handle, "wb") as file:
        file.write(msgspec.json.format(msgspec.json.encode(contexts, order="sorted")) + b"\n")
        file.flush()
        os.fsync(file.fileno())
    new.replace(path)


def context_fault(name: str, url: str) -> Diagnostic | None:
    """Returns why a context of that name and address is not kept."""
    why = None if is_resource_id(name) else "a context's name is letters, digits, - and _"
    why = why or address_fault(url)
    remedy = "agentctl explain context_refused"
    return error("context_refused", name, why, remedy=remedy) if why is not None else None


def find_context(contexts: Contexts, name: str) -> Context | Diagnostic:
    """Returns the context of that name."""
    found = contexts.contexts.get(name)
    if found is None:
        return error(
            "context_not_found",
            name,
            "there is no context of that name",
            remedy="agentctl context list",
        )
    return found


def read_token(path: Path) -> str | Diagnostic:
    """Returns the token in a file that nobody else can read; nothing told holds it."""
    remedy = "agentctl token create ID --out FILE"
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(TOKEN_BYTES_MAX + 1)
    except OSError as failure:
        told = f"the token's file cannot be read: {failure.strerror}"
        return error("token_file_unusable", str(path), told, remedy=remedy)
    if stat.S_ISREG(mode) and stat.S_IMODE(mode) & 0o077:
        told = "others than you may read or write the token's file"
        return error("token_file_unusable", str(path), told, remedy=f"chmod 600 {path}")
    words = data.split()
    if len(data) > TOKEN_BYTES_MAX or len(words) != 1 or not words[0].isascii():
        told = "the token's file does not hold one token and nothing else"
        return error("token_file_unusable", str(path), told, remedy=remedy)
    return words[0].decode("ascii")


def _invalid(path: Path, why: str) -> Diagnostic:
    return error(
        "contexts_invalid",
        str(path),
        f"the contexts cannot be read: {why}",
        remedy="Move the file away, and add them again: agentctl context add",
    )
