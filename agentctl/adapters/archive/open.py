"""Opens the archive that the applied settings name."""

from collections.abc import Mapping
from pathlib import Path
from typing import Final

from agentctl.adapters.archive.kopia import KOPIA
from agentctl.adapters.archive.provider import Location, Provider
from agentctl.adapters.archive.restic import RESTIC
from agentctl.adapters.archive.tool import ToolArchive
from agentctl.domain.ops.archive import ArchiveError, ArchiveSettings

PROVIDERS: Final[Mapping[str, Provider]] = {p.name: p for p in (RESTIC, KOPIA)}
"""Every registered provider, by name."""
PASSWORD: Final = "AGENTCTL_ARCHIVE_PASSWORD"  # noqa: S105  # the name of a variable
"""Holds the password where the settings name no other variable."""
LOCAL: Final = ".ops-archive"
AWS_ENDPOINT: Final = "https://s3.amazonaws.com"


def open_archive(
    settings: ArchiveSettings, *, folder: Path, environ: Mapping[str, str]
) -> ToolArchive:
    """Returns the archive of *settings*; nothing is called yet.

    Raises:
        ArchiveError: the settings name no bucket.
    """
    name = (settings.password or "").removeprefix("${").removesuffix("}") or PASSWORD
    return ToolArchive(
        PROVIDERS[settings.tool],
        location(settings, folder=folder, environ=environ),
        environ=environ,
        password_name=name,
    )


def location(settings: ArchiveSettings, *, folder: Path, environ: Mapping[str, str]) -> Location:
    """Returns where the repository is.

    Raises:
        ArchiveError: it is on S3, and no bucket is named.
    """
    if settings.backend == "local":
        place = folder / (settings.path or LOCAL) / settings.prefix
        return Location(backend="local", path=str(place))
    if not settings.bucket:
        msg = "`ops.archive.bucket` names no bucket"
        raise ArchiveError(msg)
    endpoint = settings.endpoint or environ.get("AWS_ENDPOINT_URL_S3") or AWS_ENDPOINT
    return Location(backend="s3", path=settings.prefix, bucket=settings.bucket, endpoint=endpoint)
