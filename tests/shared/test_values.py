"""Small values everything rests on: ids, digests, times, pseudonyms, units."""

from __future__ import annotations

import uuid
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.auth import write_secret
from shared.clock import rfc3339
from shared.codes import BODY_TEMPERATURE, DIAGNOSES, VITAL_SIGNS
from shared.digests import digest_bytes, digest_json
from shared.ids import uuid7
from shared.pseudonyms import Pseudonymiser


def test_ids_are_version_7_and_sort_by_time() -> None:
    ids = [uuid7() for _ in range(2000)]
    assert all(uuid.UUID(i).version == 7 and uuid.UUID(i).variant == uuid.RFC_4122 for i in ids)
    assert len(set(ids)) == len(ids)
    assert [i[:13] for i in ids] == sorted(i[:13] for i in ids)


def test_digest_of_nothing_is_the_published_one() -> None:
    # FIPS 180-4: SHA-256 of the empty string.
    assert digest_bytes(b"") == "sha256:e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


@given(st.dictionaries(st.text(max_size=5), st.integers(-(2**53) + 1, 2**53 - 1), max_size=6))
def test_key_order_does_not_change_a_digest(value: dict[str, int]) -> None:
    assert digest_json(value) == digest_json(dict(reversed(value.items())))


def test_times_are_told_in_utc() -> None:
    moment = datetime(2026, 1, 1, 9, 30, tzinfo=timezone(timedelta(hours=9)))
    assert rfc3339(moment) == "2026-01-01T00:30:00.000000Z"


def test_years_have_four_digits() -> None:
    assert rfc3339(datetime(1, 2, 3, tzinfo=UTC)) == "0001-02-03T00:00:00.000000Z"


def test_a_time_without_a_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="zone"):
        rfc3339(datetime(2026, 1, 1))


def test_pseudonyms_differ_between_patients_tenants_and_keys(tmp_path: Path) -> None:
    write_secret(tmp_path / "k", "00" * 32)
    one, other = Pseudonymiser.from_file(tmp_path / "k"), Pseudonymiser(b"\x01" * 32)
    names = {one.patient("a", "1"), one.patient("a", "2"), one.patient("b", "1"), other.patient("a", "1")}
    assert len(names) == 4
    assert one.patient("a", "1") == Pseudonymiser(bytes(32)).patient("a", "1")


def test_a_tenant_and_patient_cannot_be_shifted_into_each_other() -> None:
    p = Pseudonymiser(bytes(32))
    assert p.patient("a", "b1") != p.patient("ab", "1")


def test_a_short_pseudonym_key_is_refused() -> None:
    with pytest.raises(ValueError, match="32 bytes"):
        Pseudonymiser(b"short")


def test_fahrenheit_and_kelvin_convert_to_celsius() -> None:
    factors = {unit: (a, b) for sign in VITAL_SIGNS if sign.coding == BODY_TEMPERATURE for unit, a, b in sign.factors}
    a, b = factors["[degF]"]
    assert a * 98.6 + b == pytest.approx(37.0)
    a, b = factors["K"]
    assert a * 310.15 + b == pytest.approx(37.0)


def test_codes_are_distinct() -> None:
    assert len({d.code for d in DIAGNOSES}) == 8
    loinc = [code for sign in VITAL_SIGNS for code in (sign.coding.code, *sign.aliases)]
    assert len(loinc) == len(set(loinc))


def test_now_has_a_zone() -> None:
    from shared.clock import utc_now

    assert utc_now().tzinfo is UTC
