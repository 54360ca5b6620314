"""Source machines: when one counts as prepared, and whose certificates open what. Pure.

A source is a machine that sandboxes are copies of, and that people work with. It is prepared under one
authority of SSH certificates and lets in who holds a certificate of that authority with the principal
`READ_ONLY`. A sandbox's certificates have the principal `SANDBOX`, so that none of them opens a
source. Source: sandboxes 1 and 3; acceptance cases 27 and 28.
"""

from datetime import datetime, timedelta
from typing import Final, Literal

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.records import SourceVM
from agentctl.instants import format_instant

Principal = Literal["sandbox", "agentctl-readonly"]
SANDBOX: Final[Principal] = "sandbox"
READ_ONLY: Final[Principal] = "agentctl-readonly"

TTL_DEFAULT: Final = timedelta(minutes=30)
TTL_MIN: Final = timedelta(minutes=1)
TTL_MAX: Final = timedelta(minutes=60)
BACK_SKEW: Final = timedelta(minutes=1)
"""A certificate is good from so long before it was made: clocks differ."""
REFRESH_BEFORE: Final = timedelta(seconds=30)
"""One that ends sooner is made anew before it is used."""
_IDENTITY_PART_MAX: Final = 64


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """How a source was prepared; the record's `prepare_json`."""

    ca_fingerprint: str
    image_sha256: str
    at: str
    """RFC 3339."""


class CertificateOrder(msgspec.Struct, frozen=True, kw_only=True):
    """For whom, and for what, a certificate is to be."""

    user: str
    machine: str
    """The name of the machine that it opens."""
    sandbox: str
    """The sandbox's id; of a source the id of the sandbox, or of the session, that asks to look."""
    principal: Principal
    ttl: timedelta = TTL_DEFAULT


class CertificateTerms(msgspec.Struct, frozen=True, kw_only=True):
    """What a certificate says."""

    identity: str
    """What the machine's log shows: user, machine, sandbox and the certificate's own number."""
    principal: Principal
    serial: int
    valid_after: datetime
    valid_before: datetime


def prepared(
    source: SourceVM, *, ca_fingerprint: str, image_sha256: str, now: datetime
) -> SourceVM:
    """Returns the record of *source* after it was prepared."""
    preparation = Preparation(
        ca_fingerprint=ca_fingerprint, image_sha256=image_sha256, at=format_instant(now)
    )
    return msgspec.structs.replace(
        source,
        prepared=True,
        prepared_at=preparation.at,
        prepare_json=msgspec.json.encode(preparation).decode(),
        ca_fingerprint=ca_fingerprint,
        updated_at=preparation.at,
    )


def unprepared(source: SourceVM, *, ca_fingerprint: str) -> Diagnostic | None:
    """Returns why *source* does not count as prepared under the authority of today, or None."""
    was = source.ca_fingerprint
    if source.prepared and was == ca_fingerprint:
        return None
    another = was is not None and was != ca_fingerprint
    why = "was prepared for another authority of certificates" if another else "is not prepared"
    return error(
        "machine_source_unprepared",
        f"sources.{source.name}",
        f"the source machine {source.name} {why}",
        detail=f"It trusts {was}; certificates are made by {ca_fingerprint}." if another else None,
        remedy="Prepare it for the authority of certificates that is in use.",
    )


def after_rotation(source: SourceVM, *, ca_fingerprint: str, now: datetime) -> SourceVM:
    """Returns the record as it stands under an authority: unprepared where it is not the one of the record.

    The old fingerprint stays, so that the message can name it.
    """
    if not source.prepared or source.ca_fingerprint == ca_fingerprint:
        return source
    return msgspec.structs.replace(source, prepared=False, updated_at=format_instant(now))


def certificate_terms(order: CertificateOrder, *, serial: int, now: datetime) -> CertificateTerms:
    """Returns what the certificate for *order* says; its life is moved into the bounds.

    Raises:
        ValueError: A name holds what could be taken for another part of the identity.
    """
    ttl = min(max(order.ttl, TTL_MIN), TTL_MAX)
    parts = {
        "user": order.user,
        "vm": order.machine,
        "sandbox": order.sandbox,
        "cert": str(serial),
    }
    for name, value in parts.items():
        plain = value.isascii() and value.isprintable() and not set(value) & set(" :\"'\\")
        if not 0 < len(value) <= _IDENTITY_PART_MAX or not plain:
            msg = (
                f"the {name} of a certificate has to be 1 to {_IDENTITY_PART_MAX} plain characters"
            )
            raise ValueError(msg)
    return CertificateTerms(
        identity=" ".join(f"{name}:{value}" for name, value in parts.items()),
        principal=order.principal,
        serial=serial,
        valid_after=now - BACK_SKEW,
        valid_before=now + ttl,
    )


def wants_refresh(terms: CertificateTerms, *, now: datetime) -> bool:
    """Returns whether a certificate ends too soon to be used."""
    return now >= terms.valid_before - REFRESH_BEFORE


def source_server_settings(*, authority_file: str, principals_file: str) -> str:
    """Returns the lines of `sshd_config` that a source machine needs: certificates only, no forwarding.

    Args:
        authority_file: holds the authority's public key, and nothing else.
        principals_file: holds the one line that `source_principals` gives.
    """
    return (
        f"TrustedUserCAKeys {authority_file}\n"
        f"AuthorizedPrincipalsFile {principals_file}\n"
        "AuthorizedKeysFile none\n"
        "AuthenticationMethods publickey\n"
        "PubkeyAuthentication yes\n"
        "PasswordAuthentication no\n"
        "KbdInteractiveAuthentication no\n"
        "DisableForwarding yes\n"
        "PermitUserEnvironment no\n"
        "PermitUserRC no\n"
    )


def source_principals() -> str:
    """Returns who may look at a source: never a sandbox."""
    return f"{READ_ONLY}\n"
