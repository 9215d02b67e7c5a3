"""What an observation report says of vital signs (HL7 2.7 chapter 7, tables 0085 and 0125; IHE Devices TF-2)."""

from __future__ import annotations

from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.vitals.hl7.observations import Report, read_report
from services.vitals.settings import Settings
from shared.hl7v2.header import read_header
from shared.hl7v2.message import read_message
from shared.hl7v2.problems import RefusedMessage
from tests.services.vitals.conftest import NOW
from tests.services.vitals.hl7_messages import MONITOR, obx, oru

SITE = Settings(database_url="sqlite://")


def report(message: str, **more: Any) -> Report:
    content = message.encode()
    header = read_header(content)
    site = Settings(database_url="sqlite://", **more)
    return read_report(read_message(content, header, "UNICODE UTF-8"), site, NOW)


def faults(*observations: str, **header: str) -> list[tuple[str, int]]:
    found = report(oru(*observations, **header)).faults
    assert all(fault.fix for fault in found)
    return [(fault.field, fault.sequence) for fault in found]


def values(*observations: str) -> list[tuple[str, float, str]]:
    return [(s.code, s.value, s.unit) for s in report(oru(*observations)).samples]


def test_a_monitors_report_is_read_with_the_devices_that_measured() -> None:
    read = report(oru(MONITOR))
    assert [(s.code, s.value, s.unit, s.device) for s in read.samples] == [
        ("8867-4", 68, "/min", "MON-12 00A0370027000143"),
        ("59408-5", 97, "%", "SAT-3 1122334455667788"),
        ("8310-5", 37, "Cel", "MON-12 00A0370027000143"),
        ("8480-6", 121, "mm[Hg]", "MON-12 00A0370027000143"),
    ]
    assert (read.faults, read.observations) == ([], 4)
    times = [s.effective.isoformat() for s in read.samples]
    assert times[:2] == ["2026-03-14T08:00:00+00:00", "2026-03-14T07:30:01.500000+00:00"]


def test_a_device_of_a_participation_is_the_device() -> None:
    device = "PRT|1|AD||EQUIP^Equipment^HL70912||||||PUMP-1^WARD"
    other = "PRT|1|AD||AD^Admitting^HL70912||||||NOT-1"
    read = report(oru(obx(device=""), "NTE|1||seen", other, device, obx(device="")))
    assert [s.device for s in read.samples] == ["PUMP-1 WARD", ""]


@pytest.mark.parametrize(
    ("code", "unit", "sent", "meant"),
    [
        ("8867-4^HR^LN", "/min^^UCUM", "71", ("8867-4", 71, "/min")),
        ("8867-4", "{beats}/min^^UCUM", "71", ("8867-4", 71, "/min")),
        ("HR^Puls^L^8867-4^Heart rate^LN", "bpm^beats per minute^L", "71", ("8867-4", 71, "/min")),
        ("8867-4^HR^LN", "beats/min^^ISO", "71", ("8867-4", 71, "/min")),
        ("8867-4^HR^LN", "/min^^ISO+", "71", ("8867-4", 71, "/min")),
        ("8480-6^SBP^LN", "mm(hg)^^ISO+", "120", ("8480-6", 120, "mm[Hg]")),
        ("8480-6^SBP^LN", "mmHg", "120", ("8480-6", 120, "mm[Hg]")),
        ("8480-6^SBP^LN", "kPa^^ISO+", "16", ("8480-6", 120.009872, "mm[Hg]")),
        ("8310-5^T^LN", "cel^^ISO+", "37.2", ("8310-5", 37.2, "Cel")),
        ("8310-5^T^LN", "C^Celsius^ANSI+", "37.2", ("8310-5", 37.2, "Cel")),
        ("8310-5^T^LN", "degf^^ANSI+", "98.6", ("8310-5", 37, "Cel")),
        ("59408-5^SpO2^LN", "%", "97", ("59408-5", 97, "%")),
        ("150456^MDC_PULS_OXIM_SAT_O2^MDC^2708-6^SaO2^LN", "262688^MDC_DIM_PERCENT^MDC", "97", ("59408-5", 97, "%")),
        ("150344^MDC_TEMP^MDC", "266560^MDC_DIM_FAHR^MDC", "98.6", ("8310-5", 37, "Cel")),
        ("150302^MDC_PRESS_CUFF_DIA^MDC", "x^MDC_DIM_MMHG^MDC", "80", ("8462-4", 80, "mm[Hg]")),
        ("147240^MDC_ECG_TIME_PD_RR_GL^MDC", "264338^MDC_DIM_MILLI_SEC^MDC", "800", ("8637-1", 800, "ms")),
        ("9269-2^GCS^LN", "", "15", ("9269-2", 15, "{score}")),
    ],
)
def test_codes_and_units_are_read_as_they_are_sent(code: str, unit: str, sent: str, meant: Any) -> None:
    ((read_code, value, read_unit),) = values(obx(sent, code=code, unit=unit))
    assert (read_code, pytest.approx(value), read_unit) == meant


@pytest.mark.parametrize(("sent", "value"), [("^71", 71), ("=^71.5", 71.5), ("^71^^", 71), ("^+71", 71), ("^ 71 ", 71)])
def test_a_structured_numeric_that_is_one_number_is_a_value(sent: str, value: float) -> None:
    assert values(obx(sent, kind="SN")) == [("8867-4", value, "/min")]


@pytest.mark.parametrize("status", ["F", "C", "P", "R", "V"])
def test_results_that_stand_are_taken(status: str) -> None:
    assert len(values(obx(status=status))) == 1


@pytest.mark.parametrize(
    ("observation", "field"),
    [
        (obx(status="D"), "OBX-11"),
        (obx(status="W"), "OBX-11"),
        (obx(status="X"), "OBX-11"),
        (obx(status="I"), "OBX-11"),
        (obx(status=""), "OBX-11"),
        (obx(status="FC"), "OBX-11"),
        (obx(kind="ST"), "OBX-2"),
        (obx("27~25"), "OBX-5"),
        (obx(""), "OBX-5"),
        (obx('""'), "OBX-5"),
        (obx("seventy"), "OBX-5"),
        (obx("nan"), "OBX-5"),
        (obx("1e3"), "OBX-5"),
        (obx("71^72"), "OBX-5"),
        (obx("-5"), "OBX-5"),
        (obx(">^100", kind="SN"), "OBX-5"),
        (obx("^100^-^120", kind="SN"), "OBX-5"),
        (obx("^1^:^2", kind="SN"), "OBX-5"),
        (obx("101", code="59408-5^^LN", unit="%"), "OBX-5"),
        (obx("0.97", code="59408-5^^LN", unit="%"), "OBX-5"),
        (obx(unit=""), "OBX-6"),
        (obx(unit="mmHg"), "OBX-6"),
        (obx(unit="99999^MDC_DIM_X^MDC"), "OBX-6"),
        (obx(unit="bpm^^UCUM"), "OBX-6"),
        (obx(at="2026031408"), "OBX-14"),
        (obx(at="20260315140000+0000"), "OBX-14"),
        (obx(at="19800101000000+0000"), "OBX-14"),
        (obx(device="x" * 200), "OBX-18"),
        (obx("\\C2842\\"), "OBX-5"),
    ],
)
def test_an_observation_that_cannot_be_taken_is_named_and_loses_no_other(observation: str, field: str) -> None:
    assert faults(obx(), observation, obx("72")) == [(field, 2)]
    assert len(report(oru(obx(), observation, obx("72"))).samples) == 2


def test_without_a_time_of_its_own_the_orders_time_holds() -> None:
    (sample,) = report(oru(obx(at=""))).samples
    assert sample.effective.isoformat() == "2026-03-14T08:00:00+00:00"
    assert faults(obx(at=""), obr_time="") == [("OBX-14", 1)]
    assert faults(obx(at=""), obr_time="nonsense") == [("OBR-7", 1)]


def test_a_time_without_offset_goes_by_the_message_or_the_site() -> None:
    local = oru(obx(at="20260314083000"), _7="20260314090000+0200")
    assert report(local).samples[0].effective.isoformat() == "2026-03-14T06:30:00+00:00"
    unzoned = oru(obx(at="20260314083000"), _7="20260314090000")
    assert [fault.field for fault in report(unzoned).faults] == ["OBX-14"]
    (sample,) = report(unzoned, mllp_time_zone="Europe/Berlin").samples
    assert sample.effective.isoformat() == "2026-03-14T07:30:00+00:00"


def test_other_observations_are_passed_over() -> None:
    read = report(oru(obx(), obx("4.1", code="11273-0^Erythrocytes^LN", unit="x"), "OBX|3|TX|1^Note^L||Stable||||||F"))
    assert (len(read.samples), read.faults) == (1, [])


@pytest.mark.parametrize(
    ("message", "field"),
    [
        (oru(patient=""), "PID-3"),
        (oru(patient="x" * 65), "PID-3"),
        (oru().replace("PID|1", "PV2|1"), "PID"),
        (oru("PID|2||P-2", obx()), "PID"),
        (oru("OBX|1|TX|1^Note^L||Stable||||||F"), "OBX-3"),
        (oru("NTE|1||nothing"), "OBX-3"),
    ],
)
def test_a_message_without_patient_or_vital_sign_is_refused(message: str, field: str) -> None:
    with pytest.raises(RefusedMessage) as refusal:
        report(message)
    assert [fault.field for fault in refusal.value.faults] == [field]


def test_corrections_are_told_from_other_results() -> None:
    read = report(oru(obx("71"), obx("72", status="C")))
    assert [sample.value for sample in read.corrections] == [72]


@settings(deadline=None)
@given(st.data())
def test_a_damaged_message_is_read_or_refused(data: st.DataObject) -> None:
    damaged = bytearray(oru(MONITOR, obx(), obx("^71", kind="SN")).encode())
    for _ in range(data.draw(st.integers(1, 5))):
        place = data.draw(st.integers(0, len(damaged) - 1))
        damaged[place : place + data.draw(st.integers(0, 3))] = data.draw(
            st.sampled_from([b"|", b"^", b"\\", b"~", b"&", b"\r", b"0", b"\xff", b""])
        )
    content = bytes(damaged)
    with suppress(RefusedMessage):
        header = read_header(content)
        read_report(read_message(content, header, "UNICODE UTF-8"), SITE, NOW)
