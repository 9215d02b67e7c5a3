"""HL7 v2 observation reports, made up after what record systems, monitors and gateways send."""

from __future__ import annotations

from tests.support.mllp import msh

HEART_RATE = "8867-4^Heart rate^LN"
PER_MINUTE = "/min^per minute^UCUM"
AT = "20260314083000+0000"


def obx(
    value: str = "71",
    *,
    code: str = HEART_RATE,
    unit: str = PER_MINUTE,
    kind: str = "NM",
    status: str = "F",
    at: str = AT,
    place: str = "",
    device: str = "MON-7^ICU",
) -> str:
    """One OBX."""
    return f"OBX|1|{kind}|{code}|{place}|{value}|{unit}|||||{status}|||{at}||||{device}"


def oru(
    *observations: str,
    control_id: str = "M-1",
    patient: str = "P-1001",
    obr_time: str = "20260314080000+0000",
    **header: str,
) -> str:
    """An observation report with these segments behind its OBR; one heart rate where none is given."""
    lines = [msh("ORU^R01^ORU_R01", control_id, **header), f"PID|1||{patient}^^^GENERAL^MR", "PV1|1|I"]
    lines += [f"OBR|1|||8716-3^Vital signs^LN|||{obr_time}", *(observations or (obx(),))]
    return "\r".join(lines) + "\r"


MONITOR = "\r".join([
    "OBX|1||69965^MDC_DEV_MON_PHYSIO_MULTI_PARAM_MDS^MDC|1.0.0.0|||||||X|||||||MON-12^^00A0370027000143^EUI-64",
    "OBX|2||69798^MDC_DEV_ECG_VMD^MDC|1.5.0.0|||||||X",
    "OBX|3|NM|147842^MDC_ECG_HEART_RATE^MDC|1.5.1.1|68|264864^MDC_DIM_BEAT_PER_MIN^MDC|||||R",
    "OBX|4||69642^MDC_DEV_ANALY_SAT_O2_VMD^MDC|1.22.0.0|||||||X|||||||SAT-3^^1122334455667788^EUI-64",
    "OBX|5|NM|150456^MDC_PULS_OXIM_SAT_O2^MDC|1.22.1.2|97|262688^MDC_DIM_PERCENT^MDC|||||R|||20260314083001.500+0100",
    "OBX|6|NM|151712^MDC_CONC_AWAY_CO2_EXP^MDC|1.11.1.1|38|266016^MDC_DIM_MMHG^MDC|||||R",
    "OBX|7|NM|150344^MDC_TEMP^MDC|1.2.1.1|98.6|268160^MDC_DIM_FAHR^MDC|||||R",
    "OBX|8|NM|150021^MDC_PRESS_BLD_NONINV_SYS^MDC|1.9.1.1|121|266016^MDC_DIM_MMHG^MDC|||||R",
])  # fmt: skip
"""What a bedside monitor sends by IHE DEC: devices within devices, 11073 codes, one parameter that is no vital sign."""
