"""The Applied Model Card of the Coalition for Health AI, as XML of its schema v0.2 (https://mc.chai.org/v0.2/schema.xsd).

Its fields are filled from the source attributes that the rule asks for; a field for which the card has nothing says so.
"""

from __future__ import annotations

import json
import re
from typing import Any
from xml.etree import ElementTree as ET

from services.audit.cards.content import CardContent

NAMESPACE = "https://mc.chai.org/v0.2/schema.xsd"
MEDIA_TYPE = "application/xml"
NOT_XML = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
"""Characters that XML 1.0 cannot hold (section 2.2)."""
NO_APPROVAL = "None. Decision support in development, not a medical device."
NONE_CONSULTED = "The card names none."


def applied_model_card(content: CardContent) -> bytes:
    """The card as one XML document."""
    bundle, of = content.bundle, content.attribute
    root = ET.Element("AppliedModelCard", xmlns=NAMESPACE)
    _fill(root, "BasicInfo", ModelName=bundle.name, ModelDeveloper=of("1.i"), DeveloperContact=of("1.i"))
    _fill(
        root,
        "ReleaseInfo",
        ReleaseStage=content.stage.value,
        ReleaseDate=bundle.registered_at.date().isoformat(),
        ReleaseVersion=bundle.version,
        GlobalAvailability=content.says("licence"),
        RegulatoryApproval=NO_APPROVAL,
    )
    summary = _fill(root, "ModelSummary", Summary=_joined(content.warning, content.says("intendedUse"), of("1.iii")))
    ET.SubElement(summary, "Keywords")
    _fill(
        root,
        "UsesAndDirections",
        IntendedUseAndWorkflow=_joined(of("2.i"), of("2.iv")),
        PrimaryIntendedUsers=of("2.iii"),
        HowToUse=content.says("inputs"),
        TargetedPatientPopulation=of("2.ii"),
        CautionedOutOfScopeSettings=_joined(of("3.i"), content.says("outOfScope", absent="")),
    )
    _fill(
        root,
        "Warnings",
        KnownRisksAndLimitations=_joined(content.warning, of("3.ii")),
        KnownBiasesOrEthicalConsiderations=_joined(of("4.iii"), of("7.ii")),
        ClinicalRiskLevel=of("2.iv"),
    )
    _ingredients(ET.SubElement(root, "TrustIngredients"), content)
    _metrics(ET.SubElement(root, "KeyMetrics"), content)
    _fill(
        root,
        "Resources",
        EvaluationReferences=of("7.v"),
        PeerReviewedPublications=of("7.v"),
        PatientConsentOrDisclosure=content.says("trainingData"),
    )
    ET.SubElement(root, "Bibliography").text = f"Bundle {bundle.digest}"
    for element in root.iter():
        element.text = element.text and NOT_XML.sub("\N{REPLACEMENT CHARACTER}", element.text)
    document: bytes = ET.tostring(root, encoding="utf-8", xml_declaration=True)
    return document


def _ingredients(parent: ET.Element, content: CardContent) -> None:
    of = content.attribute
    _fill(
        parent,
        "AISystemFacts",
        OutcomesAndOutputs=of("1.iii"),
        ModelType=of("1.iv"),
        InputDataSource=content.says("trainingData"),
        OutputAndInputDataTypes=_joined(content.says("inputs"), content.says("outputs", absent="")),
        DevelopmentDataCharacterization=_joined(of("4.i"), of("4.ii"), of("4.iii"), of("4.iv")),
        BiasMitigationApproaches=_joined(of("5.i"), of("5.ii")),
        OngoingMaintenance=_joined(of("8.i"), of("8.iii"), of("9.i"), of("9.ii")),
    )
    _fill(parent, "TransparencyInformation", FundingSource=of("1.ii"), StakeholdersConsulted=NONE_CONSULTED)


def _metrics(parent: ET.Element, content: CardContent) -> None:
    of, figures = content.attribute, content.metrics()
    safety = [figure for figure in figures if figure[1] in ("coverage", "ece", "smallestClassCoverage")]
    _metric(parent, "UsefulnessUsabilityEfficacy", content, of("7.i"), figures, "Does it answer rightly?")
    _metric(parent, "FairnessEquity", content, of("7.ii"), [], "Does it answer alike for all groups?")
    _metric(parent, "SafetyReliability", content, of("7.i"), safety, "May its probabilities and sets be relied on?")


def _metric(
    parent: ET.Element, name: str, content: CardContent, said: str, figures: list[tuple[str, str, Any]], goal: str
) -> None:
    of = content.attribute
    metric = _fill(parent, name, MetricGoal=goal)
    results = ET.SubElement(metric, "Results")
    for pattern, figure, value in figures or [("all", "as stated", said)]:
        _fill(results, "MetricResult", Label=f"{pattern}: {figure}", ValueJson=json.dumps(value, sort_keys=True))
    rest = {
        "Interpretation": said,
        "TestType": of("6.iv"),
        "TestingDataDescription": _joined(of("6.i"), of("6.iii")),
        "ValidationProcessAndJustification": _joined(of("6.ii"), of("7.iii")),
    }
    for field, text in rest.items():
        ET.SubElement(metric, field).text = text


def _fill(parent: ET.Element, name: str, **fields: str) -> ET.Element:
    element = ET.SubElement(parent, name)
    for field, text in fields.items():
        ET.SubElement(element, field).text = text
    return element


def _joined(*texts: str) -> str:
    return "\n".join(dict.fromkeys(text for text in texts if text))
