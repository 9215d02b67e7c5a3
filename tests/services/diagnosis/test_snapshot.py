"""Which evidence a case uses, and its manifest."""

from __future__ import annotations

import hashlib
import json
from datetime import UTC, datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from services.diagnosis.snapshot import Evidence, Manifest, case_time, freeze, parse_manifest, select
from shared.contracts.audit import ConsentBasis
from shared.contracts.base import Modality
from shared.contracts.evidence import EvidenceRef

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
PERMIT = ConsentBasis(decision="permit", reason="active", consent_ids=["c-1"])
DENY = ConsentBasis(decision="deny", reason="none")


def _ref(key: str, kind: Modality, days_ago: float, **quality: Any) -> EvidenceRef:
    at = NOON - timedelta(days=days_ago)
    return EvidenceRef(id=key, kind=kind, digest=f"sha256:{key}", effective_at=at, received_at=at, quality=quality)


def _image(key: str, days_ago: float, view: str = "PA") -> EvidenceRef:
    return _ref(key, Modality.IMAGE, days_ago, viewPosition=view)


def _note(key: str, days_ago: float, language: str | None = None) -> EvidenceRef:
    return _ref(key, Modality.NOTE, days_ago, **({"language": language} if language else {}))


def _ids(refs: tuple[EvidenceRef, ...]) -> list[str]:
    return [ref.id for ref in refs]


def test_the_two_newest_images_are_used() -> None:
    refs = [_image("old", 3), _image("new", 1), _image("middle", 2)]
    assert _ids(select(Modality.IMAGE, refs, NOON)) == ["new", "middle"]


def test_a_lateral_image_is_left_out_where_there_is_a_frontal_one() -> None:
    refs = [_image("lateral", 1, "LL"), _image("frontal", 2)]
    assert _ids(select(Modality.IMAGE, refs, NOON)) == ["frontal"]


def test_a_lateral_image_alone_is_handed_on() -> None:
    assert _ids(select(Modality.IMAGE, [_image("lateral", 1, "LL")], NOON)) == ["lateral"]


def test_notes_older_than_a_week_before_the_newest_are_left_out() -> None:
    refs = [_note("newest", 10), _note("same week", 17), _note("week before", 17.01)]
    assert _ids(select(Modality.NOTE, refs, NOON)) == ["newest", "same week"]


def test_at_most_three_notes_are_used() -> None:
    refs = [_note(str(n), n) for n in range(5)]
    assert _ids(select(Modality.NOTE, refs, NOON)) == ["0", "1", "2"]


def test_a_note_in_another_language_takes_no_place_of_one_that_is_read() -> None:
    refs = [_note("es", 0, "es"), _note("a", 1, "en"), _note("de", 1.5, "de"), _note("b", 2, "und"), _note("c", 3)]
    assert _ids(select(Modality.NOTE, refs, NOON)) == ["es", "a", "de", "b", "c"]


def test_at_most_three_notes_in_other_languages_are_named() -> None:
    refs = [*(_note(f"es {n}", n, "es") for n in range(5)), _note("en", 6, "en")]
    assert _ids(select(Modality.NOTE, refs, NOON)) == ["es 0", "es 1", "es 2", "en"]


def test_a_newer_note_in_another_language_does_not_make_the_others_too_old() -> None:
    refs = [_note("es", 0, "es"), _note("en", 20, "en"), _note("en, same week", 26, "en"), _note("old es", 21, "es")]
    assert _ids(select(Modality.NOTE, refs, NOON)) == ["es", "en", "en, same week"]


def test_notes_in_other_languages_alone_are_handed_on() -> None:
    assert _ids(select(Modality.NOTE, [_note("es", 1, "es")], NOON)) == ["es"]


def test_evidence_after_the_case_time_is_not_used() -> None:
    refs = [_note("before", 1), _note("after", -1)]
    assert _ids(select(Modality.NOTE, refs, NOON)) == ["before"]


def test_the_case_time_is_that_of_the_newest_evidence() -> None:
    known = {Modality.IMAGE: (_image("i", 2),), Modality.NOTE: (_note("n", 1),)}
    assert case_time(known, NOON) == NOON - timedelta(days=1)


def test_the_case_time_is_never_in_the_future() -> None:
    assert case_time({Modality.NOTE: (_note("n", -1),)}, NOON) == NOON


def test_what_is_denied_is_withheld_and_not_listed() -> None:
    manifest = freeze(
        "pat-1",
        NOON,
        (Modality.IMAGE, Modality.NOTE),
        {Modality.IMAGE: (_image("i", 1),), Modality.NOTE: (_note("n", 1),)},
        {Modality.IMAGE: DENY, Modality.NOTE: PERMIT},
    )
    assert ([item.id for item in manifest.evidence], manifest.withheld) == (["n"], (Modality.IMAGE,))


def test_a_denied_modality_without_evidence_is_just_missing() -> None:
    manifest = freeze("pat-1", NOON, (Modality.IMAGE,), {Modality.IMAGE: ()}, {Modality.IMAGE: DENY})
    assert manifest.withheld == ()


def test_the_digest_is_the_sha256_of_sorted_compact_json() -> None:
    manifest = freeze("pat-1", NOON, (Modality.NOTE,), {Modality.NOTE: (_note("n", 1),)}, {Modality.NOTE: PERMIT})
    # All keys and values are ASCII, for which RFC 8785 is sorted keys without spaces.
    content = json.dumps(json.loads(manifest.to_bytes()), sort_keys=True, separators=(",", ":")).encode()
    assert manifest.digest == "sha256:" + hashlib.sha256(content).hexdigest()


moments = st.datetimes(datetime(1990, 1, 1), datetime(2100, 1, 1), timezones=st.just(UTC))
evidence = st.builds(Evidence, st.sampled_from(Modality), st.text(max_size=20), st.text(max_size=20), moments)
bases = st.builds(
    ConsentBasis, decision=st.sampled_from(["permit", "deny"]), reason=st.text(), consent_ids=st.lists(st.text())
)
manifests = st.builds(
    Manifest,
    subject=st.text(),
    as_of=moments,
    requested=st.lists(st.sampled_from(Modality), unique=True).map(tuple),
    evidence=st.lists(evidence, max_size=6).map(tuple),
    consent=st.fixed_dictionaries(dict.fromkeys(Modality, bases)),
    withheld=st.lists(st.sampled_from(Modality), unique=True).map(tuple),
)


@given(manifests)
def test_a_manifest_that_is_written_and_read_is_the_same(manifest: Manifest) -> None:
    assert parse_manifest(manifest.to_bytes()) == manifest


@given(manifests, st.fixed_dictionaries(dict.fromkeys(Modality, bases)))
def test_asking_consent_twice_narrows_a_case_no_further(
    manifest: Manifest, decisions: dict[Modality, ConsentBasis]
) -> None:
    narrower = manifest.under(decisions)
    assert narrower.under(decisions) == narrower
