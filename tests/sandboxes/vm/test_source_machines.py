"""When a source counts as prepared, and what a certificate says. Source: sandboxes 5, case 27; 3."""

from datetime import UTC, datetime, timedelta

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from agentctl.domain.sandbox.records import SourceVM
from agentctl.domain.sandbox.source_machines import (
    READ_ONLY,
    SANDBOX,
    CertificateOrder,
    Preparation,
    after_rotation,
    certificate_terms,
    prepared,
    unprepared,
    wants_refresh,
)

NOW = datetime(2026, 11, 22, 6, 0, tzinfo=UTC)
LATER = NOW + timedelta(hours=1)
OLD, NEW = "SHA256:old", "SHA256:new"
SOURCE = SourceVM(id="1", name="web", created_at="", updated_at="")
ORDER = CertificateOrder(user="mira", machine="web", sandbox="01K0", principal=SANDBOX)


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


@given(st.timedeltas(timedelta(days=-1), timedelta(days=400)))
def test_a_certificate_lives_from_one_to_sixty_minutes_and_a_minute_before(ttl: timedelta) -> None:
    order = msgspec.structs.replace(ORDER, ttl=ttl)

    terms = certificate_terms(order, serial=1, now=NOW)

    assert timedelta(minutes=1) <= terms.valid_before - NOW <= timedelta(minutes=60)
    assert NOW - terms.valid_after == timedelta(minutes=1)


def test_a_certificate_says_who_where_in_which_sandbox_and_its_number() -> None:
    terms = certificate_terms(ORDER, serial=7, now=NOW)
    reading = certificate_terms(
        msgspec.structs.replace(ORDER, principal=READ_ONLY), serial=8, now=NOW
    )

    assert terms.identity == "user:mira vm:web sandbox:01K0 cert:7"
    assert (terms.principal, reading.principal) == ("sandbox", "agentctl-readonly")
    assert terms.valid_before == NOW + timedelta(minutes=30)


@pytest.mark.parametrize("name", ["", "a b", "a:b", "a\nb", "\N{LATIN SMALL LETTER E WITH ACUTE}"])
def test_a_name_that_reads_as_another_part_of_the_identity_is_refused(name: str) -> None:
    with pytest.raises(ValueError, match="plain characters"):
        certificate_terms(msgspec.structs.replace(ORDER, user=name), serial=1, now=NOW)


def test_a_certificate_is_made_anew_half_a_minute_before_it_ends() -> None:
    terms = certificate_terms(ORDER, serial=1, now=NOW)

    assert not wants_refresh(terms, now=terms.valid_before - timedelta(seconds=31))
    assert wants_refresh(terms, now=terms.valid_before - timedelta(seconds=30))
