"""When a source counts as prepared. Source: sandboxes 5, case 27."""

from datetime import UTC, datetime, timedelta

import msgspec

from agentctl.domain.sandbox.records import SourceVM
from agentctl.domain.sandbox.source_machines import (
    Preparation,
    after_rotation,
    prepared,
    unprepared,
)

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
OLD, NEW = "SHA256:old", "SHA256:new"
SOURCE = SourceVM(id="1", name="web", created_at="", updated_at="")


def why(source: SourceVM, fingerprint: str) -> str | None:
    told = unprepared(source, ca_fingerprint=fingerprint)
    assert told is None or told.code == "machine_source_unprepared"
    return None if told is None else told.message


def test_a_source_counts_as_prepared_under_the_authority_it_was_prepared_for() -> None:
    ready = prepared(SOURCE, ca_fingerprint=OLD, image_sha256="a" * 64, now=NOW)

    assert why(SOURCE, OLD) == "the source machine web is not prepared"
    assert why(ready, OLD) is None
    assert msgspec.json.decode(ready.prepare_json or "", type=Preparation) == Preparation(
        ca_fingerprint=OLD, image_sha256="a" * 64, at="2026-11-22T06:00:00.000Z"
    )


def test_a_rotated_authority_marks_a_source_as_unprepared_until_it_is_prepared_again() -> None:
    ready = prepared(SOURCE, ca_fingerprint=OLD, image_sha256="a" * 64, now=NOW)

    rotated = after_rotation(ready, ca_fingerprint=NEW, now=LATER)
    again = prepared(rotated, ca_fingerprint=NEW, image_sha256="a" * 64, now=LATER)

    another = "the source machine web was prepared for another authority of certificates"
    assert (why(ready, NEW), why(rotated, NEW)) == (another, another)
    assert (rotated.prepared, rotated.ca_fingerprint) == (False, OLD)
    assert why(rotated, OLD) == "the source machine web is not prepared"
    assert why(again, NEW) is None
    assert after_rotation(again, ca_fingerprint=NEW, now=LATER) == again
