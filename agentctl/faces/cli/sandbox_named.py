"""Which sandbox is meant where one is named: a sandbox's name stands for its id, wherever one types it."""

from collections.abc import Mapping
from typing import Any

from agentctl.diagnostics.diagnostic import error
from agentctl.faces.cli.options import SANDBOX
from agentctl.ids import is_ulid
from agentctl.views.wording import counted, safe
from agentctl_tools.envelopes import failed
from agentctl_tools.operation import Envelope


def unresolved(arguments: Mapping[str, object]) -> str | None:
    """Returns the name of the sandbox that `in` names; None where it names an id, or none at all."""
    target = arguments.get("in")
    if not isinstance(target, str) or not target.startswith(SANDBOX):
        return None
    name = target.removeprefix(SANDBOX)
    return None if is_ulid(name) else name


def with_id(
    arguments: Mapping[str, object], name: str, listed: Envelope, *, caller: str
) -> Mapping[str, object] | Envelope:
    """Returns *arguments* with the id of the sandbox called *name*, or why there is none.

    One of the caller's own goes before those of others, which a human sees too.

    Args:
        arguments: of the call that is about it.
        name: as it was typed.
        listed: what `sandbox_list` answered to the caller.
        caller: the principal's id.
    """
    if listed.data is None:
        return listed
    known: tuple[Any, ...] = getattr(listed.data, "sandboxes", ())
    found = [one for one in known if one.name == name]
    own = [one for one in found if one.owner == caller]
    meant = own or found
    if len(meant) == 1:
        return {**arguments, "in": meant[0].sandbox}
    told = safe(name)
    if meant:
        why = f"{counted(len(meant), 'sandbox', 'sandboxes')} are called {told}"
        return failed(
            (
                error(
                    "sandbox_not_found",
                    f"{SANDBOX}{told}",
                    why,
                    remedy=f"Name one by its id: {', '.join(one.sandbox for one in meant)}.",
                ),
            )
        )
    why = f"there is no open sandbox called {told} that you may use"
    return failed(
        (error("sandbox_not_found", f"{SANDBOX}{told}", why, remedy="agentctl sandbox list"),)
    )
