"""Opens the forge of a remote; its token is read here, from the environment, and kept nowhere else."""

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

import anyio

from agentctl.adapters.forge.asking import Asking, Pause
from agentctl.adapters.forge.failure import stopped
from agentctl.adapters.forge.forge import Forge
from agentctl.adapters.forge.gitea import Gitea
from agentctl.adapters.forge.github import HEADERS, GitHub
from agentctl.domain.config.remotes import ForgeProfile, Remote
from agentctl.domain.config.secrets import reference_name

if TYPE_CHECKING:
    import httpx2

_TOKEN: Final = "of its `token`"  # noqa: S105  # how a message names a reference that is none


def open_forge(
    remote: Remote,
    profile: ForgeProfile,
    environ: Mapping[str, str],
    *,
    transport: "httpx2.AsyncBaseTransport | None" = None,
    pause: Pause = anyio.sleep,
) -> Forge:
    """Returns the forge of a remote; nothing is asked yet.

    Raises:
        PublishingError: its token is not in the environment.
    """
    variable = reference_name(profile.token) or _TOKEN
    token = environ.get(variable, "").strip()
    if not token:
        raise stopped(
            code="publication_secret_missing",
            path=remote.address,
            message=f"the variable {variable}, which holds the forge's token, is not set",
            remedy=f"Set {variable} where agentctl runs, then publish again.",
        )
    if profile.kind == "github":
        headers = {**HEADERS, "authorization": f"Bearer {token}"}
        return GitHub(
            Asking(profile.api, headers, token, transport=transport, pause=pause), profile.repo
        )
    headers = {"accept": "application/json", "authorization": f"token {token}"}
    return Gitea(
        Asking(profile.api, headers, token, transport=transport, pause=pause), profile.repo
    )
