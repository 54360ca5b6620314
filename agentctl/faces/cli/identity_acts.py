"""How a person changes who is known, on the command line: what is shown, what is typed, what signs."""

import re
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from agentctl.diagnostics.diagnostic import error
from agentctl.domain.policy.public_key import parse_public
from agentctl.faces.cli.compose import KeyFileError, read_passphrase_from_terminal
from agentctl.faces.cli.human_key import human_key
from agentctl.faces.cli.options import settings_of
from agentctl.faces.cli.session import (
    Ended,
    Session,
    composition_of,
    ended_with,
    finish,
    run_command,
)
from agentctl.faces.cli.terminal import ask_line, ask_new_passphrase
from agentctl.views.decision import safe
from agentctl_tools.envelopes import done, failed
from agentctl_tools.failures import diagnostics_of
from agentctl_tools.operation import Envelope

_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400}


def public_key(given: str | None) -> str:
    """Returns the key text that an option names, as it is or in a file; its comment is left out.

    Raises:
        click.UsageError: it is no Ed25519 or hardware key.
    """
    if given is None:
        msg = "--key is needed: a public key, or the file it is in."
        raise click.UsageError(msg)
    text = given
    if len(given.split()) < 2 and Path(given).is_file():
        text = Path(given).read_text(encoding="utf-8", errors="replace")
    found = " ".join(text.split()[:2])
    if parse_public(found) is None:
        msg = "--key is no Ed25519 key (`ssh-ed25519 …` or `sk-ssh-ed25519@openssh.com …`)."
        raise click.UsageError(msg)
    return found


def signed(operation: str, arguments: Mapping[str, object], *, about: str) -> NoReturn:
    """Runs an operation that the person at the terminal signs, once they typed whom it is about."""

    async def main(session: Session) -> Ended:
        return ended_with(await _signed(session, operation, arguments, about), show=_changed)

    run_command(main)


def enrol(principal_id: str, given: Mapping[str, Any]) -> NoReturn:
    """Makes somebody known, with a key that is given or made."""
    prefix = principal_id.partition(":")[0] if ":" in principal_id else "human"
    kind = given["kind"] or prefix
    if kind not in {"human", "agent", "service"}:
        msg = f"an id begins with agent: or service:, or with nothing; not {prefix}:"
        raise click.UsageError(msg)
    groups = tuple(given["groups"])
    key = public_key(given["key"]) if given["key"] is not None else None

    async def main(session: Session) -> Ended:
        text = key if key is not None else _made(session, kind, principal_id)
        arguments: dict[str, object] = {"id": principal_id, "key": text, "in_groups": groups}
        if kind == "human":
            arguments["assurance"] = given["assurance"]
            envelope = await _signed(session, "identity_add_human", arguments, principal_id)
        else:
            arguments["of_kind"] = kind
            signer = (await human_key(session)).signer() if groups else None
            envelope = await session.call("identity_add", arguments, signer=signer)
        return ended_with(envelope, show=_changed)

    run_command(main)


def make_own_key(principal_id: str, *, no_passphrase: bool) -> NoReturn:
    """Makes a key file and prints its public line; no cluster is asked."""
    context = click.get_current_context()
    composition = composition_of(context)
    try:
        text = composition.make_key(
            "human", principal_id, b"" if no_passphrase else ask_new_passphrase()
        )
        envelope = done("Made.", data={"id": principal_id, "key": text})
        line = f"{text} {safe(principal_id)}"
    except Exception as failure:
        known = diagnostics_of(failure)
        if known is None:
            raise
        envelope, line = failed(known), ""
    finish(Ended(envelope=envelope, text=line), settings_of(context))


def delegate(to: str, given: Mapping[str, Any]) -> NoReturn:
    """Lets another human count by the caller's groups for a while."""
    if not (given["kinds"] or given["resources"] or given["everything"]):
        msg = "Say what for: --kind, --resource, or --everything."
        raise click.UsageError(msg)
    written = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", given["lasting"])
    if written is None:
        msg = "--for is a number and m, h or d: 90m, 8h, 7d."
        raise click.UsageError(msg)
    arguments = {
        "to": to,
        "seconds": int(written[1]) * _SECONDS[written[2]],
        "kinds": given["kinds"],
        "resources": given["resources"],
    }
    signed("identity_delegate", arguments, about=to)


def new_recovery() -> NoReturn:
    """Replaces the recovery code and shows the new one."""

    async def main(session: Session) -> Ended:
        code, key = session.composition.new_recovery()
        signer = (await human_key(session)).signer()
        envelope = await session.call("identity_recovery", {"key": key}, signer=signer)
        told = f"Recovery code, shown once and stored nowhere; write it down:\n  {code}"
        return Ended(
            envelope=envelope,
            text=told if envelope.ok else "",
            raw={"recovery_code": code} if envelope.ok else None,
        )

    run_command(main)


def recover(principal_id: str, key: str | None, *, revoke: bool) -> NoReturn:
    """Replaces or ends a lost key by the recovery code that is typed."""
    new_key = None if revoke else public_key(key)

    async def main(session: Session) -> Ended:
        code = read_passphrase_from_terminal("Recovery code: ").decode("utf-8", "replace")
        arguments = {
            "id": principal_id,
            "act": "revoke" if revoke else "rotate",
            "key": new_key,
        }
        signer = session.composition.recovery_signer(code)
        envelope = await session.call("identity_recover", arguments, signer=signer)
        return ended_with(envelope, show=_changed)

    run_command(main)


async def _signed(
    session: Session, operation: str, arguments: Mapping[str, object], about: str
) -> Envelope:
    if not session.signs:
        return await session.call(operation, arguments)
    sys.stderr.write(_page(operation, arguments))
    if ask_line(f"Type {safe(about)} to sign this, anything else to leave it: ") != about:
        told = f"what was typed is not {safe(about)}; nothing was signed"
        return failed((error("confirmation_mismatch", about, told),))
    return await session.call(operation, arguments, signer=(await human_key(session)).signer())


def _page(operation: str, arguments: Mapping[str, object]) -> str:
    lines = [operation.replace("_", " ").upper()]
    lines += [
        f"  {name} {_value(value)}" for name, value in arguments.items() if value not in (None, ())
    ]
    return "\n".join(lines) + "\n"


def _value(value: object) -> str:
    if isinstance(value, tuple | list):
        return ", ".join(safe(str(part)) for part in value)
    return safe(str(value), 200)


def _made(session: Session, kind: Any, principal_id: str) -> str:  # noqa: ANN401  # one of three
    """Makes the key file of a principal that came without one; a person's has a passphrase."""
    secret = ask_new_passphrase() if kind == "human" else b""
    try:
        return session.composition.make_key(kind, principal_id, secret)
    except KeyFileError as taken:
        msg = str(taken)
        raise click.UsageError(msg) from taken


def _changed(data: Any) -> str:  # noqa: ANN401  # a ChainChanged, which is the tools'
    one = data.principal
    if one is None:
        return f"record {data.length} of the chain"
    standing = "revoked" if one.revoked else "enrolled"
    lines = [f"{safe(one.id)}  {one.kind}, {standing}, record {data.length} of the chain"]
    if one.groups:
        lines.append(f"  groups {', '.join(safe(group) for group in one.groups)}")
    if one.assurance:
        lines.append(f"  assurance {one.assurance}")
    if one.key:
        lines.append(f"  key {one.key}")
    return "\n".join(lines)
