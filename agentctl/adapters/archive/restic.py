"""restic, as it is called. Needs no connection; ids come from its JSON summary. Source: ops 4."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

import msgspec

from agentctl.adapters.archive.provider import (
    Argv,
    Location,
    Provider,
    Tags,
    gathered_tags,
    ordered_tags,
    tool_time,
)
from agentctl.domain.ops.archive import Held

ROOT: Final = "objects"


class _Summary(msgspec.Struct, frozen=True, kw_only=True):
    message_type: str
    snapshot_id: str = ""


class _Snapshot(msgspec.Struct, frozen=True, kw_only=True):
    id: str
    time: str
    tags: tuple[str, ...] | None = None


def repository(where: Location) -> str:
    """Returns the repository as restic takes it."""
    if where.backend == "local":
        return where.path
    return f"s3:{where.endpoint.rstrip('/')}/{where.bucket}/{where.path}"


def _base(where: Location) -> Argv:
    return ("--repo", repository(where), "--json", "--no-cache")


def _backup(where: Location, _: Path, folder: Path, tags: Tags) -> Argv:
    named = (("--tag", f"{name}={value}") for name, value in ordered_tags(tags))
    return (*_base(where), "backup", *(a for pair in named for a in pair), str(folder))


def _snapshot_id(printed: str) -> str | None:
    for line in reversed(printed.splitlines()):
        try:
            summary = msgspec.json.decode(line, type=_Summary)
        except (msgspec.DecodeError, UnicodeError):
            continue
        if summary.message_type == "summary":
            return summary.snapshot_id or None
    return None


def _held(printed: str) -> tuple[Held, ...] | None:
    try:
        found = msgspec.json.decode(printed, type=tuple[_Snapshot, ...] | None) or ()
    except (msgspec.DecodeError, UnicodeError):
        return None
    held = (
        Held(
            id=one.id,
            at=tool_time(one.time),
            tags=gathered_tags(
                [(t.partition("=")[0], t.partition("=")[2]) for t in one.tags or ()]
            ),
        )
        for one in found
    )
    return tuple(sorted(held, key=lambda h: h.at))


def _forget(where: Location, _: Path, snapshots: Sequence[str]) -> Argv:
    return (*_base(where), "forget", *snapshots)


RESTIC: Final = Provider(
    name="restic",
    binary="restic",
    features=frozenset({"tags", "verify", "encryption", "compression", "dedup", "mount"}),
    password_env="RESTIC_PASSWORD",  # noqa: S106  # the name of a variable
    env_optional=(
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_DEFAULT_REGION",
        "AWS_REGION",
        "AWS_PROFILE",
        "AWS_SHARED_CREDENTIALS_FILE",
    ),
    is_missing=lambda said: "unable to open config file" in said or "does not exist" in said,
    connect=lambda _, __: None,
    open=lambda where, _: (*_base(where), "cat", "config"),
    create=lambda where, _: (*_base(where), "init"),
    backup=_backup,
    snapshot_id=_snapshot_id,
    restore=lambda where, _, snapshot, target: (
        *_base(where),
        "restore",
        snapshot,
        "--target",
        str(target),
    ),
    list=lambda where, _: (*_base(where), "snapshots"),
    held=_held,
    forget=_forget,
    prune=lambda where, _: (*_base(where), "prune"),
    check=lambda where, _: (*_base(where), "check"),
)
