"""Source machines: when one counts as prepared. Pure.

A source is a golden image that sandboxes are copies of. It is prepared under one authority of SSH
certificates, the operator's; under another it counts as unprepared. Source: sandboxes 1 and 2; acceptance
case 27.
"""

from datetime import datetime

import msgspec

from agentctl.diagnostics.diagnostic import Diagnostic, error
from agentctl.domain.sandbox.records import SourceVM
from agentctl.instants import format_instant


class Preparation(msgspec.Struct, frozen=True, kw_only=True):
    """How a source was prepared; the record's `prepare_json`."""

    ca_fingerprint: str
    image_sha256: str
    at: str
    """RFC 3339."""


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
