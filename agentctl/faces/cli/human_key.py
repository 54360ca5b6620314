"""The caller's own human key, where this user has it: what `approve`, `deny` and the terminal sign with."""

from collections.abc import Callable
from typing import Any

from agentctl.faces.cli.compose import Composition, read_passphrase_from_terminal
from agentctl.faces.cli.session import Session


class HumanKey:
    """A key at hand that the cluster knows as the calling human's, or none.

    A file of the user's keys folder is looked for first, then the user's ssh-agent.
    """

    def __init__(self, composition: Composition, key: str | None) -> None:
        self._composition = composition
        self._key = key
        self.path = composition.public_keys().get(key) if key is not None else None
        self.locked = self.path is not None and composition.is_locked(self.path)

    def signer(self, passphrase: Callable[[], str] | None = None) -> Any:  # noqa: ANN401  # a Signer
        """Returns what signs; without *passphrase* a locked key asks on the controlling terminal."""
        if self._key is None:
            return None
        if self.path is None:
            return self._composition.agent_signer(self._key)
        if passphrase is None:
            return self._composition.signer(self.path, read_passphrase_from_terminal)
        typed = passphrase
        return self._composition.signer(self.path, lambda _: typed().encode())


async def human_key(session: Session) -> HumanKey:
    """Returns the key of the calling human."""
    shown = await session.call("identity_show", {})
    identity: Any = getattr(shown.data, "identity", None)
    key = identity.key if identity is not None and session.signs else None
    return HumanKey(session.composition, key)
