"""What a bucket is set to: versions, locks, and whether it enforces conditional writes itself."""

from collections.abc import Awaitable, Callable
from typing import Any, Final

import msgspec

from agentctl.adapters.backends.ability import Ability, Holds
from agentctl.adapters.backends.s3 import S3Store
from agentctl.adapters.backends.s3_settings import S3Root
from agentctl.domain.storage.protocol import BackendError

CONDITION: Final = "s3:if-none-match"


async def s3_abilities(root: S3Root) -> tuple[Ability, ...]:
    """Returns what the bucket of *root* is set to; what it does not tell is unknown."""
    store = S3Store(root)
    try:
        return (
            await _versioning(store),
            await _object_lock(store),
            await _enforced(store),
        )
    finally:
        await store.aclose()


async def _versioning(store: S3Store) -> Ability:
    async def ask(client: Any, bucket: str) -> str:  # noqa: ANN401  # botocore's
        answer = await client.get_bucket_versioning(Bucket=bucket)
        return str(answer.get("Status", "off"))

    return await _told(
        store, ask, "versioning", "Enabled",
        "what is overwritten or deleted can be brought back by the bucket's owner",
        "what is overwritten or deleted is gone",
    )  # fmt: skip


async def _object_lock(store: S3Store) -> Ability:
    async def ask(client: Any, bucket: str) -> str:  # noqa: ANN401  # botocore's
        answer = await client.get_object_lock_configuration(Bucket=bucket)
        return str(answer.get("ObjectLockConfiguration", {}).get("ObjectLockEnabled", "off"))

    return await _told(
        store, ask, "object lock", "Enabled",
        "objects under a retention cannot be deleted before its end",
        "whoever may delete in the bucket may delete audit records",
    )  # fmt: skip


async def _enforced(store: S3Store) -> Ability:
    async def ask(client: Any, bucket: str) -> str:  # noqa: ANN401  # botocore's
        answer = await client.get_bucket_policy(Bucket=bucket)
        return "yes" if enforces(str(answer.get("Policy", ""))) else "no"

    return await _told(
        store, ask, "create-only enforced", "yes",
        "the bucket's policy refuses writes of numbered objects without the condition",
        "agentctl sends the condition with every create, but the bucket takes writes without it",
    )  # fmt: skip


def enforces(policy: str) -> bool:
    """Returns whether a bucket policy denies writes that bear no condition."""
    try:
        document = msgspec.json.decode(policy, type=_Policy)
    except msgspec.DecodeError:
        return False
    return any(
        statement.effect == "Deny" and CONDITION in statement.condition.get("Null", {})
        for statement in document.statement
    )


class _Statement(msgspec.Struct, frozen=True, kw_only=True):
    effect: str = msgspec.field(name="Effect", default="")
    condition: dict[str, dict[str, Any]] = msgspec.field(name="Condition", default_factory=dict)


class _Policy(msgspec.Struct, frozen=True, kw_only=True):
    statement: tuple[_Statement, ...] = msgspec.field(name="Statement", default=())


async def _told(  # a row of a table
    store: S3Store,
    ask: Callable[[Any, str], Awaitable[str]],
    name: str,
    wanted: str,
    yes: str,
    no: str,
) -> Ability:
    """Returns an ability; a setting that was never made is told by most stores as not found."""
    try:
        holds: Holds = "yes" if await store.setting(ask) == wanted else "no"
    except BackendError as failure:
        never = ("NoSuchBucketPolicy", "ObjectLockConfigurationNotFoundError")
        if any(word in str(failure) for word in never):
            return Ability(name=name, holds="no", says=no)
        return Ability(name=name, holds="unknown", says=f"the storage does not tell: {failure}")
    return Ability(name=name, holds=holds, says=yes if holds == "yes" else no)
