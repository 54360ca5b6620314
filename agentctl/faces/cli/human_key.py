"""The caller's own human key, where this user has it: what `approve`, `deny` and the terminal sign with."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from agentctl.faces.cli.compose import read_passphrase_from_terminal
from agentctl.faces.cli.session import Session


class HumanKey:
    """A key file of this user that the cluster knows as the calling human's, or none."""

    def __init__(self, session: Session, path: Path | None) -> None:
        self._composition = session.composition
        self.path = path
        self.locked = path is not None and self._composition.is_locked(path)

    def signer(self, passphrase: Callable[[], str] | None = None) -> Any:  # noqa: ANN401  # a Signer
        """Returns what signs; without *passphrase* a locked key asks on the controlling terminal."""
        if self.path is None:
            return None
        if passphrase is None:
            return self._composition.signer(self.path, read_passphrase_from_terminal)
        typed = passphrase
        return self._composition.signer(self.path, lambda _: typed().encode())


async def human_key(session: Session) -> HumanKey:
    """Returns the key file of the calling human."""
    shown = await session.call("identity_show", {})
    identity: Any = getattr(shown.data, "identity", None)
    key = identity.key if identity is not None and session.caller.enrolled else None
    return HumanKey(session, session.composition.public_keys().get(key) if key else None)
