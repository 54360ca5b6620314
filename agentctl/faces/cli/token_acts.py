"""How a token is made on the command line: where its secret goes, and nowhere else."""

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

import click

from agentctl.faces.cli.session import Ended, Session, run_command
from agentctl.views.decision import safe

_SECONDS: Final = {"m": 60, "h": 3600, "d": 86_400}


def make(principal: str, given: Mapping[str, Any]) -> NoReturn:
    """Makes a token and shows its secret once, or writes it into a new file of mode 0600."""
    arguments: dict[str, object] = {
        "principal": principal,
        "label": given["label"],
        "audience": given["audience"],
        "seconds": _seconds(given["lasting"]),
    }
    if given["scopes"]:
        arguments["scopes"] = tuple(given["scopes"])
    out = Path(given["out"]) if given["out"] else None

    async def main(session: Session) -> Ended:
        handle = _new_file(out) if out is not None else None
        envelope = await session.call("token_create", arguments)
        made: Any = envelope.data
        if not envelope.ok:
            if out is not None and handle is not None:
                os.close(handle)
                out.unlink()
            return Ended(envelope=envelope)
        told = f"{safe(made.principal)}  {','.join(made.scopes)}  until {made.expires_at}"
        about = {name: getattr(made, name) for name in made.__struct_fields__ if name != "secret"}
        if out is None or handle is None:
            shown = f"{made.secret}\n{told}\nShown once and stored nowhere; id {made.id[:12]}."
            return Ended(envelope=envelope, text=shown)
        with os.fdopen(handle, "w", encoding="ascii") as file:
            file.write(made.secret + "\n")
        shown = f"{out}\n{told}\nid {made.id[:12]}."
        return Ended(envelope=envelope, text=shown, raw={**about, "file": str(out)})

    run_command(main)


def _new_file(out: Path) -> int:
    """Returns a new file that nobody else can read.

    Raises:
        click.UsageError: there is one already, or none can be made.
    """
    try:
        return os.open(out, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except OSError as failure:
        msg = f"--out: {out}: {failure.strerror}."
        raise click.UsageError(msg) from failure


def _seconds(lasting: str | None) -> int | None:
    if lasting is None:
        return None
    written = re.fullmatch(r"([1-9][0-9]{0,5})([mhd])", lasting)
    if written is None:
        msg = "--for is a number and m, h or d: 90m, 8h, 7d."
        raise click.UsageError(msg)
    return int(written[1]) * _SECONDS[written[2]]
