"""The catalog: what was applied, as objects named by their own digest.

Payloads of queries, policies and settings kinds, and whole sources, lie under
``__cluster/resources`` and ``__cluster/sources``. The payload of a settings kind (approval, ops,
alias, ...) is the canonical JSON of its fields. An object is trusted only after its bytes were
hashed again, also when it is our own: a payload that does not have its digest is replaced by the
next apply (`spec/control-plane.md` 1.11). Only the collection of garbage removes anything.
"""

from collections.abc import Mapping
from typing import Literal

import msgspec

from agentctl.canonical import canonical_bytes, sha256_hex
from agentctl.diagnostics.diagnostic import Diagnostic, error, warning
from agentctl.domain.config.digests import kind_digest_of_bytes
from agentctl.domain.config.model import SourceManifest
from agentctl.domain.storage.protocol import BackendError, ObjectStore
from agentctl.ids import SETTINGS_KINDS, ParsedAddress, parse_address

PayloadStanding = Literal["good", "missing", "mismatch", "unreadable"]
"""What became of a recorded payload. `unreadable` is trouble of the store and may pass."""


class PayloadCheck(msgspec.Struct, frozen=True, kw_only=True):
    """One payload, hashed again."""

    address: str
    key: str
    standing: PayloadStanding

    def diagnostic(self) -> Diagnostic | None:
        """Returns what to tell about it; None where it is good."""
        match self.standing:
            case "good":
                return None
            case "missing":
                return warning(
                    "catalog_payload_missing",
                    self.address,
                    f"the catalog has no payload {self.key}",
                    remedy="agentctl refresh, then agentctl apply",
                )
            case "mismatch":
                return warning(
                    "catalog_payload_mismatch",
                    self.address,
                    f"the payload {self.key} does not have its digest",
                    remedy="agentctl refresh, then agentctl apply",
                )
            case "unreadable":
                return error(
                    "catalog_payload_read_error",
                    self.address,
                    f"the payload {self.key} could not be read",
                )


def payload_key(address: str, digest: str) -> str | None:
    """Returns where the payload of a resource lies; None for kinds that have none."""
    parsed = parse_address(address)
    if parsed is None:
        return None
    match parsed.kind:
        case "query":
            return f"__cluster/resources/query/{parsed.graph}/{parsed.name}/{digest}.gq"
        case "policy":
            return f"__cluster/resources/policy/{parsed.name}/{digest}.yaml"
        case kind if kind in SETTINGS_KINDS:
            return f"__cluster/resources/{kind}/{_settings_name(parsed)}/{digest}.json"
        case _:
            return None


def payload_digest(address: str, data: bytes) -> str:
    """Returns the digest of the resource whose payload *data* is."""
    parsed = parse_address(address)
    if parsed is not None and parsed.kind in SETTINGS_KINDS:
        return kind_digest_of_bytes(parsed.kind, data)
    return sha256_hex(data)


def _settings_name(parsed: ParsedAddress) -> str:
    """Returns the part of a key that names a resource of a settings kind; a binding has three."""
    if parsed.query is None:
        return parsed.name
    query = parse_address(parsed.query)
    assert query is not None
    return f"{query.graph}/{query.name}/{parsed.name}"


def source_key(digest: str) -> str:
    """Returns where the manifest of a source lies."""
    return f"__cluster/sources/{digest}.json"


def file_key(digest: str) -> str:
    """Returns where one file of a source lies."""
    return f"__cluster/resources/source/{digest}"


class Catalog:
    """The catalog of one storage root."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    async def publish(self, key: str, data: bytes) -> None:
        """Writes *data* at *key*, unless the very same bytes are there already."""
        found = await self._store.read(key)
        if found is not None and found.data == data:
            return
        if found is not None or not await self._store.create(key, data):
            await self._store.replace(key, data)

    async def publish_source(self, files: Mapping[str, bytes], digest: str) -> None:
        """Writes the files of a source, then its manifest, whose digest must be *digest*."""
        digests = {path: sha256_hex(data) for path, data in files.items()}
        manifest = canonical_bytes(SourceManifest(files=digests))
        assert sha256_hex(manifest) == digest, "a source's digest is that of its manifest"
        for path in sorted(files):
            await self.publish(file_key(digests[path]), files[path])
        await self.publish(source_key(digest), manifest)

    async def source_files(self, digest: str) -> Mapping[str, bytes] | None:
        """Returns the files of a published source; None where any part is not what it should be."""
        found = await self._store.read(source_key(digest))
        if found is None or sha256_hex(found.data) != digest:
            return None
        manifest = msgspec.json.decode(found.data, type=SourceManifest)
        files: dict[str, bytes] = {}
        for path, file_digest in manifest.files.items():
            stored = await self._store.read(file_key(file_digest))
            if stored is None or sha256_hex(stored.data) != file_digest:
                return None
            files[path] = stored.data
        return files

    async def check(self, address: str, digest: str) -> PayloadCheck | None:
        """Returns how the payload of *address* stands; None for kinds without one."""
        key = payload_key(address, digest)
        if key is None:
            return None
        standing, _ = await self._load(address, key, digest)
        return PayloadCheck(address=address, key=key, standing=standing)

    async def check_all(self, digests: Mapping[str, str]) -> tuple[PayloadCheck, ...]:
        """Returns how every payload stands, by address."""
        checks = [await self.check(address, digests[address]) for address in sorted(digests)]
        return tuple(c for c in checks if c is not None)

    async def read(self, address: str, digest: str) -> tuple[PayloadCheck, bytes | None]:
        """Returns the payload of a resource and how it stands; bytes only when good."""
        key = payload_key(address, digest)
        assert key is not None, "the kind has payloads"
        standing, data = await self._load(address, key, digest)
        return PayloadCheck(address=address, key=key, standing=standing), data

    async def read_fields(self, address: str, digest: str) -> Mapping[str, object] | None:
        """Returns the applied fields of a resource of a settings kind, hashed again.

        None where the payload is missing, altered or unreadable: what depends on it must then
        assume the strictest, never the absence of a setting.
        """
        _, data = await self.read(address, digest)
        return None if data is None else msgspec.json.decode(data, type=dict[str, object])

    async def _load(
        self, address: str, key: str, digest: str
    ) -> tuple[PayloadStanding, bytes | None]:
        try:
            found = await self._store.read(key)
        except BackendError:
            return "unreadable", None
        if found is None:
            return "missing", None
        if payload_digest(address, found.data) != digest:
            return "mismatch", None
        return "good", found.data
