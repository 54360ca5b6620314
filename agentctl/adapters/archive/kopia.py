"""kopia, as it is called. Connects first, and keeps the connection in a file of one's own. Source: ops 4."""

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
    tool_time,
)
from agentctl.domain.ops.archive import Held

_TAG: Final = "tag:"


class _Made(msgspec.Struct, frozen=True, kw_only=True):
    id: str = ""


class _Snapshot(msgspec.Struct, frozen=True, kw_only=True, rename="camel"):
    id: str
    start_time: str
    tags: dict[str, str] = {}


def _base(state: Path) -> Argv:
    return ("--config-file", str(state / "kopia.config"), "--no-progress", "--no-check-for-updates")


def _place(where: Location) -> Argv:
    if where.backend == "local":
        return ("filesystem", "--path", where.path)
    scheme, _, host = where.endpoint.rstrip("/").partition("://")
    plain = ("--disable-tls",) if scheme == "http" else ()
    prefix = ("--prefix", f"{where.path}/")
    return ("s3", "--bucket", where.bucket, "--endpoint", host, *prefix, *plain)


def _backup(_: Location, state: Path, folder: Path, tags: Tags) -> Argv:
    """A key has one value in kopia: the values of a tag are numbered."""
    named: list[str] = []
    for name, values in sorted(tags.items()):
        for number, value in enumerate(values):
            named += ["--tags", f"{name}.{number}:{value}"]
    return (*_base(state), "snapshot", "create", str(folder), "--json", *named)


def _snapshot_id(printed: str) -> str | None:
    try:
        return msgspec.json.decode(printed, type=_Made).id or None
    except (msgspec.DecodeError, UnicodeError):
        return None


def _held(printed: str) -> tuple[Held, ...] | None:
    try:
        found = msgspec.json.decode(printed, type=tuple[_Snapshot, ...] | None) or ()
    except (msgspec.DecodeError, UnicodeError):
        return None
    held = (
        Held(
            id=one.id,
            at=tool_time(one.start_time),
            tags=gathered_tags(
                [
                    (name.removeprefix(_TAG).rpartition(".")[0], value)
                    for name, value in sorted(one.tags.items(), key=_numbered)
                ]
            ),
        )
        for one in found
    )
    return tuple(sorted(held, key=lambda h: h.at))


def _numbered(tag: tuple[str, str]) -> tuple[str, int]:
    name, _, number = tag[0].rpartition(".")
    return name, int(number) if number.isdigit() else 0


def _forget(_: Location, state: Path, snapshots: Sequence[str]) -> Argv:
    return (*_base(state), "snapshot", "delete", *snapshots, "--delete")


KOPIA: Final = Provider(
    name="kopia",
    binary="kopia",
    features=frozenset({"tags", "verify", "encryption", "compression", "dedup", "mount", "ui"}),
    password_env="KOPIA_PASSWORD",  # noqa: S106  # the name of a variable
    env_optional=("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
    is_missing=lambda said: "repository not initialized" in said or "no such file" in said,
    connect=lambda where, state: (*_base(state), "repository", "connect", *_place(where)),
    open=lambda _, state: (*_base(state), "repository", "status", "--json"),
    create=lambda where, state: (*_base(state), "repository", "create", *_place(where)),
    backup=_backup,
    snapshot_id=_snapshot_id,
    restore=lambda _, state, snapshot, target: (
        *_base(state),
        "snapshot",
        "restore",
        snapshot,
        str(target),
    ),
    list=lambda _, state: (*_base(state), "snapshot", "list", "--all", "--json"),
    held=_held,
    forget=_forget,
    prune=lambda _, state: (*_base(state), "maintenance", "run", "--full", "--safety=full"),
    check=lambda _, state: (*_base(state), "snapshot", "verify"),
)
