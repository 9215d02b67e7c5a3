"""Who may open an association: AE titles, optionally with addresses (PS3.8 section 9.3.4 for the rejection)."""

from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError
from structlog.testing import capture_logs

from services.imaging.settings import Settings
from tests.services.imaging.conftest import started
from tests.services.imaging.dimse.associations import SUCCESS, VERIFICATION, association, parsed, send
from tests.services.imaging.radiographs import radiograph
from tests.support.common import TestBed

# Rejected permanent, by the service user, calling AE title not recognised (PS3.8 table 9-21).
NOT_RECOGNISED = (1, 1, 3)


def rejection(assoc: Any) -> tuple[int, int, int]:
    answer = assoc.acceptor.primitive
    return answer.result, answer.result_source, answer.diagnostic


def test_without_a_list_any_title_may_call(bed: TestBed, database_url: str) -> None:
    with started(bed, database_url) as imaging, association(imaging, VERIFICATION, title="ANYBODY") as assoc:
        assert assoc.is_established


@pytest.mark.parametrize("listed", ["CT_1", "CT_1@127.0.0.1", "CT_1@127.0.0.0/8"])
def test_a_title_on_the_list_is_served(bed: TestBed, database_url: str, listed: str) -> None:
    with started(bed, database_url, allowed_callers=("PACS", listed)) as imaging:
        assert send(imaging, parsed(radiograph()), title="CT_1") == [SUCCESS]


@pytest.mark.parametrize("listed", ["PACS", "ct_1", "CT_1@10.1.2.3", "CT_1@10.0.0.0/8"])
def test_a_title_or_address_that_is_not_listed_is_rejected(bed: TestBed, database_url: str, listed: str) -> None:
    with (
        started(bed, database_url, allowed_callers=(listed,)) as imaging,
        association(imaging, VERIFICATION, title="CT_1") as assoc,
    ):
        assert assoc.is_rejected
        assert rejection(assoc) == NOT_RECOGNISED


def test_the_listener_goes_on_after_a_rejection(bed: TestBed, database_url: str) -> None:
    with started(bed, database_url, allowed_callers=("CT_1",)) as imaging:
        for _ in range(5):
            with association(imaging, VERIFICATION, title="STRANGER") as assoc:
                assert assoc.is_rejected
        assert send(imaging, parsed(radiograph()), title="CT_1") == [SUCCESS]


def test_a_caller_whose_address_cannot_be_read_is_rejected(
    bed: TestBed, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def unreadable(_: Settings, title: str, address: str) -> bool:
        raise ValueError(f"{address!r} of {title!r} does not appear to be an IPv4 or IPv6 address")

    monkeypatch.setattr(Settings, "may_call", unreadable)
    with (
        started(bed, database_url, allowed_callers=("CT_1@127.0.0.1",)) as imaging,
        association(imaging, VERIFICATION, title="CT_1") as assoc,
    ):
        assert assoc.is_rejected


def test_a_rejection_is_logged_with_the_address_and_without_what_the_caller_wrote(
    bed: TestBed, database_url: str
) -> None:
    with (
        started(bed, database_url, allowed_callers=("CT_1",)) as imaging,
        capture_logs() as logs,
        association(imaging, VERIFICATION, title="DOE^JANE") as assoc,
    ):
        assert assoc.is_rejected
    (entry,) = [entry for entry in logs if entry["event"] == "association rejected"]
    assert (entry["reason"], entry["address"]) == ("calling AE title not recognised", "127.0.0.1")
    assert "DOE" not in str(logs)


@pytest.mark.parametrize(
    ("setting", "value", "fix"),
    [
        ("allowed_callers", ("A_TITLE_OF_17_CHRS",), "AE title of 1 to 16 characters"),
        ("allowed_callers", ("",), "AE title of 1 to 16 characters"),
        ("allowed_callers", ("CT_1@scanner",), "does not appear to be an IPv4 or IPv6 network"),
        ("commitment_addresses", {"PACS": "10.1.2.3"}, "host:port"),
        ("commitment_addresses", {"PACS": "10.1.2.3:0"}, "host:port"),
    ],
)
def test_a_malformed_list_is_named_at_the_start(setting: str, value: Any, fix: str) -> None:
    with pytest.raises(ValidationError, match=fix):
        Settings(database_url="sqlite://", **{setting: value})


def test_the_list_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONSILIUM_IMAGING_ALLOWED_CALLERS", '["CT_1", "PACS@10.1.2.3"]')
    monkeypatch.setenv("CONSILIUM_IMAGING_COMMITMENT_ADDRESSES", '{"PACS": "10.1.2.3:104"}')
    settings = Settings(database_url="sqlite://")
    assert settings.may_call("CT_1", "192.168.7.9")
    assert settings.may_call("PACS", "10.1.2.3")
    assert not settings.may_call("PACS", "10.1.2.4")
    # As a listener on both protocols sees an IPv4 caller (RFC 4291 section 2.5.5.2).
    assert settings.may_call("PACS", "::ffff:10.1.2.3")
    assert settings.commitment_addresses == {"PACS": ("10.1.2.3", 104)}
