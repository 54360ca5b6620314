"""How contexts are kept, shown and forgotten on the command line."""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, NoReturn

import anyio
import click
import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.faces.cli.options import settings_of
from agentctl.faces.cli.session import Ended, finish, internal_error
from agentctl.views.decision import safe
from agentctl_tools.contexts import (
    Context,
    Contexts,
    context_fault,
    find_context,
    own_contexts_path,
    read_contexts,
    read_token,
    write_contexts,
)
from agentctl_tools.envelopes import done, failed
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.operation import Envelope
from agentctl_tools.remote import RemoteDoor, wire_to

Act = Callable[[Contexts], tuple[Envelope, str]]
_ID_HEX = 64


class ContextShown(msgspec.Struct, frozen=True, kw_only=True):
    """One context, as `--json` prints it; it holds no secret."""

    name: str
    current: bool
    url: str
    cluster_id: str
    token_file: str
    key: str | None


class ContextList(msgspec.Struct, frozen=True, kw_only=True):
    """Every context, by name."""

    contexts: tuple[ContextShown, ...]


def add_context(name: str, url: str, given: Mapping[str, Any]) -> NoReturn:
    """Keeps a context; where no id is given, the one that answers there is pinned, and said."""
    from agentctl.faces.cli.identity_acts import public_key

    key = public_key(given["key"]) if given["key"] is not None else None
    file = Path(given["token_file"]).expanduser().absolute()

    def act(contexts: Contexts) -> tuple[Envelope, str]:
        fault = context_fault(name, url)
        if fault is not None:
            return failed((fault,)), ""
        told = given["cluster_id"]
        found = told if told is not None else anyio.run(_id_there, url, file)
        if isinstance(found, Diagnostic):
            return failed((found,)), ""
        if len(found) != _ID_HEX or set(found) - set("0123456789abcdef"):
            wrong = "a cluster's id is 64 hex digits: agentctl identity list"
            return failed((error("context_refused", name, wrong),)), ""
        one = Context(url=url, cluster_id=found, token_file=str(file), key=key)
        _write(msgspec.structs.replace(contexts, contexts={**contexts.contexts, name: one}))
        line = f"{safe(name)}  {safe(url, 120)}\ncluster {found}"
        if told is None:
            line += "\nThat id is what answered there: compare it with its operator's."
        shown = _shown(contexts, name, one)
        return done("Kept.", data=shown), line

    _run(act)


def list_all() -> NoReturn:
    """Prints every context."""

    def act(contexts: Contexts) -> tuple[Envelope, str]:
        shown = tuple(_shown(contexts, n, c) for n, c in sorted(contexts.contexts.items()))
        lines = [f"{'*' if c.current else ' '} {c.name}  {safe(c.url, 120)}" for c in shown]
        listed = ContextList(contexts=shown)
        return done(f"{len(shown)} contexts.", data=listed), "\n".join(lines) or "no contexts"

    _run(act)


def use_context(name: str | None) -> NoReturn:
    """Makes a context the current one, or none."""

    def act(contexts: Contexts) -> tuple[Envelope, str]:
        found = find_context(contexts, name) if name is not None else None
        if isinstance(found, Diagnostic):
            return failed((found,)), ""
        _write(msgspec.structs.replace(contexts, current=name))
        told = f"now {safe(name)}" if name is not None else "now the folder you are in"
        return done(told, data={"current": name}), told

    _run(act)


def show_one(name: str | None) -> NoReturn:
    """Prints one context."""

    def act(contexts: Contexts) -> tuple[Envelope, str]:
        wanted = name or contexts.current
        if wanted is None:
            return done("No context is current.", data={"current": None}), "no context is current"
        found = find_context(contexts, wanted)
        if isinstance(found, Diagnostic):
            return failed((found,)), ""
        lines = [
            f"{safe(wanted)}{'  (current)' if wanted == contexts.current else ''}",
            f"  url {safe(found.url, 200)}",
            f"  cluster {safe(found.cluster_id, 64)}",
            f"  token file {safe(found.token_file, 200)}",
        ]
        lines += [f"  key {safe(found.key, 200)}"] if found.key else []
        return done("Shown.", data=_shown(contexts, wanted, found)), "\n".join(lines)

    _run(act)


def remove_context(name: str) -> NoReturn:
    """Forgets a context."""

    def act(contexts: Contexts) -> tuple[Envelope, str]:
        found = find_context(contexts, name)
        if isinstance(found, Diagnostic):
            return failed((found,)), ""
        rest = {n: c for n, c in contexts.contexts.items() if n != name}
        current = contexts.current if contexts.current != name else None
        _write(Contexts(current=current, contexts=rest))
        return done("Forgotten.", data=_shown(contexts, name, found)), f"{safe(name)} is forgotten"

    _run(act)


async def _id_there(url: str, file: Path) -> str | Diagnostic:
    """Returns the id of the cluster that answers, for a token that it takes."""
    secret = read_token(file)
    if isinstance(secret, Diagnostic):
        return secret
    wire = wire_to(url, secret)
    try:
        door = RemoteDoor(wire, Context(url=url, cluster_id="", token_file=str(file)))
        return await door.cluster_id()
    finally:
        await wire.aclose()


def _run(act: Act) -> NoReturn:
    context = click.get_current_context()
    envelope, text = failed(()), ""
    try:
        contexts = read_contexts(own_contexts_path())
        if isinstance(contexts, Diagnostic):
            envelope = failed((contexts,))
        else:
            envelope, text = act(contexts)
    except OSError as failure:
        why = f"the contexts cannot be written: {os.strerror(failure.errno or 0)}"
        envelope = failed((error("contexts_invalid", str(own_contexts_path()), why),))
    except Exception as failure:  # noqa: BLE001  # the outermost loop
        envelope = failed(diagnostics_of(failure) or (internal_error(failure),))
    finish(Ended(envelope=envelope, text=text, is_remote=True), settings_of(context))


def _write(contexts: Contexts) -> None:
    write_contexts(own_contexts_path(), contexts)


def _shown(contexts: Contexts, name: str, one: Context) -> ContextShown:
    return ContextShown(
        name=name,
        current=contexts.current == name,
        url=one.url,
        cluster_id=one.cluster_id,
        token_file=one.token_file,
        key=one.key,
    )
