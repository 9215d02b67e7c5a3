"""CDA documents for tests, of invented persons."""

from __future__ import annotations

SECTIONS = """
<component><section><title>Chief complaint</title><text>Fever &amp; cough.</text></section></component>
<component><section><title>Findings</title><text>
  <paragraph>No <content styleCode="Bold">wheeze</content>.<br/>Afebrile.</paragraph>
  <content revised="delete">Struck out.</content><renderMultiMedia referencedObject="x"/>
  <list><item>Rales</item><item>No oedema</item></list>
  <table><thead><tr><th>Test</th><th>Value</th></tr></thead><tbody><tr><td>CRP</td><td>12</td></tr></tbody></table>
</text><entry><observation><text>For machines.</text></observation></entry>
<component><section><title>Inner</title><text>Seen by Xylander.</text></section></component></section></component>
"""
TEXT = (
    "Chief complaint\nFever & cough.\n\nFindings\nNo wheeze.\nAfebrile.\n- Rales\n- No oedema\nTest | Value\nCRP | 12\n"
    "Inner\nSeen by Xylander."
)
"""What `SECTIONS` says."""


def cda(
    body: str = f"<structuredBody>{SECTIONS}</structuredBody>",
    *,
    prolog: str = '<?xml version="1.0" encoding="UTF-8"?>',
    code: str = '<code code="11506-3" codeSystem="2.16.840.1.113883.6.1"/>',
    time: str = '<effectiveTime value="20260314083000+0000"/>',
    patient: str = '<id root="2.999.1" extension="P-1001"/><id root="2.999.2" extension="S-77"/>',
) -> str:
    """A document of patient P-1001."""
    return (
        f'{prolog}<ClinicalDocument xmlns="urn:hl7-org:v3">{code}<title>Note</title>{time}<recordTarget><patientRole>'
        f"{patient}<patient><name><given>Zoe</given><family>Quux</family></name></patient></patientRole></recordTarget>"
        "<author><assignedAuthor><assignedPerson><name><given>Yan</given><family>Xylander</family></name>"
        "</assignedPerson><representedOrganization><name>Good Health Clinic</name></representedOrganization>"
        f"</assignedAuthor></author><component>{body}</component></ClinicalDocument>"
    )
