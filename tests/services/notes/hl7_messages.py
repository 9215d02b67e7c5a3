"""HL7 v2 messages that bring documents."""

from __future__ import annotations

from collections.abc import Sequence

from tests.support.mllp import msh

TEXT = "Fever and productive cough."


def mdm(
    event: str = "T02",
    control_id: str = "M-1",
    *,
    text: str | Sequence[str] = TEXT,
    number: str = "DOC-1",
    parent: str = "",
    patient: str = "P-1001",
    authored: str = "202603140830+0000",
    edited: str = "",
    kind: str = "PR",
    value_type: str = "TX",
    **header: str,
) -> str:
    """A medical document message; each text is an OBX-5."""
    lines = [msh(f"MDM^{event}", control_id, **header), f"EVN|{event}|202603140900", f"PID|1||{patient}^^^GENERAL^MR"]
    lines.append(f"TXA|1|{kind}|TX|||{authored}||{edited}||||{number}|{parent}||||AU")
    texts = [text] if isinstance(text, str) else text
    if event != "T11":
        lines += [f"OBX|{n}|{value_type}|||{one}||||||F" for n, one in enumerate(texts, 1)]
    return "\r".join(lines) + "\r"


def oru(
    control_id: str = "M-1",
    *,
    code: str = "18748-4^Diagnostic imaging study^LN",
    text: str = TEXT,
    reported: str = "202603140830+0000",
    order: str = "ORD-1",
    status: str = "F",
    observation: str = "",
    **header: str,
) -> str:
    """An observation report with one narrative result."""
    obr = f"OBR|1||{order}|{code}|||202603140700+0000" + "|" * 15 + reported + "|||" + status
    obx = f"OBX|1|FT|{observation}||{text}||||||{status}"
    return "\r".join([msh("ORU^R01", control_id, **header), "PID|1||P-1001", obr, obx]) + "\r"
