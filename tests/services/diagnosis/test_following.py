"""A worker answers with the bundles that the registry names: real worker processes, a registry that tests turn."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.diagnosis.domain import NOTHING_ACTIVE
from services.diagnosis.following import is_drawn
from services.diagnosis.rows import ShadowResultRow
from services.diagnosis.store import raise_fence
from shared.contracts.base import Modality
from shared.contracts.models import ServedBundle, Serving
from shared.database import create_engine, session_factory
from tests.support.diagnosis_house import House, eventually, hours_ago, open_house
from tests.support.diagnosis_predictor import BUNDLE, identify


def _served(directory: Path) -> ServedBundle:
    identity = identify(directory)
    return ServedBundle(id=identity.digest, name=identity.name, version=identity.version, digest=identity.digest)


@pytest.fixture
def house(tmp_path: Path) -> Iterator[House]:
    """A service with a second bundle on the shelf."""
    _put(tmp_path / "more", "2")
    with open_house(tmp_path, bundles_dir=tmp_path / "more") as opened:
        opened.ward.add_image("p-1", hours_ago(2))
        yield opened


def _put(shelf: Path, version: str) -> Path:
    directory = shelf / f"v{version}"
    directory.mkdir(parents=True)
    (directory / "manifest.json").touch()
    (directory / "version").write_text(version)
    return directory


def _first(house: House) -> ServedBundle:
    return _served(house.bundle)


def _second(house: House) -> ServedBundle:
    assert house.settings.bundles_dir is not None
    return _served(house.settings.bundles_dir / "v2")


def _version(house: House) -> str:
    """Which version answers now."""
    return str(house.finished(house.ask().json()["id"])["model"]["version"])


def test_the_prediction_after_a_change_is_the_new_bundle_s_and_after_a_rollback_the_old_one_s(house: House) -> None:
    house.start_worker()
    assert _version(house) == "1"
    house.ward.serving = Serving(active=_second(house), previous=_first(house))
    assert _version(house) == "2"
    house.ward.serving = Serving(active=_first(house))
    assert _version(house) == "1"
    stages = [event.details["stage"] for event in house.ward.log_of("diagnosis-released")]
    assert stages == ["production"] * 3


def test_bundles_that_lie_at_hand_are_told_of(house: House) -> None:
    house.start_worker()
    eventually(lambda: house.ward.announced == [_first(house), _second(house)], what="the announcement")


def test_a_bundle_that_is_put_on_the_shelf_later_needs_no_restart(house: House) -> None:
    house.start_worker()
    assert house.settings.bundles_dir is not None
    late = _served(_put(house.settings.bundles_dir, "3"))
    eventually(lambda: late in house.ward.announced, what="the announcement")
    house.ward.serving = Serving(active=late)
    assert _version(house) == "3"


def test_a_bundle_that_is_still_being_copied_is_looked_at_again(house: House) -> None:
    house.start_worker()
    assert house.settings.bundles_dir is not None
    directory = _put(house.settings.bundles_dir, "3")
    (directory / "partial").write_text("one file so far")
    eventually(lambda: _second(house) in house.ward.announced, what="the announcement of the other")
    (directory / "partial").unlink()
    eventually(lambda: _served(directory) in house.ward.announced, what="the announcement")


def test_a_worker_answers_nothing_with_a_bundle_that_is_not_active(house: House) -> None:
    house.start_worker()
    strange = ServedBundle(id="x", name="elsewhere", version="9", digest="sha256:" + "9" * 64)
    house.ward.serving = Serving(active=strange)
    eventually(lambda: house.http.get("/readyz").status_code == 503, what="unreadiness")
    eventually(lambda: house.http.get("/readyz").json()["waitingFor"] == [NOTHING_ACTIVE], what="the reason")
    job = house.ask().json()["id"]
    waiting = eventually(lambda: house.read(job)["waiting"], what="the wait")
    assert NOTHING_ACTIVE in waiting["reason"]
    assert waiting["tries"] >= 1

    def _told() -> bool:
        answer = house.http.post("/search", json={"text": "effusion", "target": "image"}, headers=house.headers())
        assert answer.status_code == 503
        return NOTHING_ACTIVE in answer.json()["detail"]

    eventually(_told, what="the same reason for a question")
    house.ward.serving = Serving(active=_first(house))
    assert house.finished(job)["model"]["version"] == "1"


def test_where_the_registry_is_away_what_it_said_last_holds(house: House) -> None:
    house.start_worker()
    house.ward.serving = Serving(active=_second(house))
    assert _version(house) == "2"
    house.ward.down.add("registry")
    assert _version(house) == "2"


def test_a_worker_that_never_heard_of_the_registry_is_not_ready(house: House) -> None:
    house.ward.down.add("registry")
    with pytest.raises(AssertionError, match="readiness"):
        house.start_worker(within_s=5)
    house.ward.down.clear()
    eventually(lambda: house.http.get("/readyz").status_code == 200, what="readiness")


def test_a_canary_answers_for_its_patients_alone_and_always_for_the_same(house: House) -> None:
    house.start_worker()
    house.ward.serving = Serving(active=_first(house), canary=_second(house), canary_percent=50)
    patients = [f"p-{n}" for n in range(8)]
    for patient in patients:
        house.ward.add_image(patient, hours_ago(1))
    # Until it is loaded the active bundle answers for its patients.
    eventually(lambda: "2" in _versions(house, patients), within_s=30, what="the canary")
    rounds = [_versions(house, patients) for _ in range(2)]
    assert rounds[0] == rounds[1]
    assert set(rounds[0]) == {"1", "2"}
    by_version = {(e.details["bundleVersion"], e.details["stage"]) for e in house.ward.log_of("diagnosis-released")}
    assert by_version == {("1", "production"), ("2", "canary")}


def test_the_log_says_by_how_much_a_shadow_differs(house: House) -> None:
    assert house.settings.bundles_dir is not None
    (house.settings.bundles_dir / "v2" / "drift").write_text("1.0")
    house.start_worker()
    house.ward.serving = Serving(active=_first(house), shadow=_second(house))
    eventually(lambda: _shadowed(house), within_s=30, what="the shadow's answer")
    grey = 0.5
    expected = 1 / (1 + math.exp(-grey - 1.0)) - 1 / (1 + math.exp(-grey))
    said = float(house.ward.log_of("diagnosis-shadowed")[0].details["greatestDifference"])
    assert said == pytest.approx(expected, abs=1e-4)


def _versions(house: House, patients: list[str]) -> list[str]:
    jobs = [house.ask(patient).json()["id"] for patient in patients]
    return [str(house.finished(job)["model"]["version"]) for job in jobs]


def test_a_shadow_answers_after_the_release_and_nobody_is_shown_it(house: House) -> None:
    house.start_worker()
    house.ward.serving = Serving(active=_first(house), shadow=_second(house))
    eventually(lambda: _shadowed(house), within_s=30, what="the shadow's answer")
    (event, *_) = house.ward.log_of("diagnosis-shadowed")
    assert (event.details["stage"], event.details["beside"]) == ("shadow", BUNDLE.digest)
    assert (event.details["sameLeading"], event.details["greatestDifference"]) == (True, "0.000000")
    assert event.object is not None
    assert house.read(event.object.id)["model"]["version"] == "1"


def _shadowed(house: House) -> bool:
    """Ask until the worker has loaded its shadow."""
    house.finished(house.ask().json()["id"])
    return bool(house.ward.log_of("diagnosis-shadowed")) and bool(_kept(house))


def _last(house: House, what: str) -> str:
    """The diagnosis that was released, or answered in the shadow, last."""
    last = house.ward.log_of(f"diagnosis-{what}")[-1].object
    assert last is not None
    return last.id


def _kept(house: House) -> list[str]:
    engine = create_engine(house.settings.database_url)
    with session_factory(engine)() as session:
        found = [row.bundle_digest for row in session.query(ShadowResultRow)]
    engine.dispose()
    return found


def test_the_result_does_not_wait_for_the_shadow_and_a_withdrawal_ends_it(house: House) -> None:
    worker = house.start_worker()
    house.ward.serving = Serving(active=_first(house), shadow=_second(house))
    eventually(lambda: _shadowed(house), within_s=30, what="the shadow's answer")
    eventually(lambda: _last(house, "shadowed") == _last(house, "released"), what="the shadow's last answer")
    assert house.settings.bundles_dir is not None
    shadow, before = house.settings.bundles_dir / "v2", len(_kept(house))
    (shadow / "hold").touch()
    job = house.ask().json()["id"]
    eventually((shadow / f"held-{worker.pid}").exists, what="the shadow at work")
    assert house.read(job)["status"] == "succeeded"
    house.ward.withdraw("p-1", Modality.IMAGE)
    subject = house.ward.log_of("diagnosis-released")[-1].subject_ref
    assert subject is not None
    engine = create_engine(house.settings.database_url)
    with session_factory(engine).begin() as session:
        raise_fence(session, subject, house.ward.epoch)
    engine.dispose()
    (shadow / "hold").unlink()
    house.finished(house.ask().json()["id"])
    assert len(_kept(house)) == before


def _with_canary(percent: int, digest: str = "sha256:" + "2" * 64) -> Serving:
    one = ServedBundle(id="1", name="m", version="1", digest="sha256:" + "1" * 64)
    return Serving(active=one, canary=one.model_copy(update={"digest": digest}), canary_percent=percent)


def test_the_share_is_as_wanted() -> None:
    """Of 20,000 pseudonyms ten percent, within four standard deviations of a binomial draw."""
    drawn = sum(is_drawn(f"pat-{n:032x}", _with_canary(10)) for n in range(20_000))
    assert abs(drawn - 2_000) < 4 * (20_000 * 0.1 * 0.9) ** 0.5


@given(st.text(), st.integers(1, 99), st.integers(1, 99))
def test_a_larger_share_keeps_whom_the_smaller_had(subject: str, one: int, other: int) -> None:
    smaller, larger = sorted((one, other))
    assert not is_drawn(subject, _with_canary(smaller)) or is_drawn(subject, _with_canary(larger))


def test_another_canary_draws_others() -> None:
    subjects = [f"pat-{n:032x}" for n in range(200)]
    first, second = (
        [is_drawn(one, _with_canary(50, "sha256:" + digit * 64)) for one in subjects] for digit in ("2", "3")
    )
    assert first != second
