"""The posterior is Bayes' rule: by hand, by counting, and by its own calibration on the whole ward."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import roc_auc_score

from services.diagnosis.ward import oracle
from services.diagnosis.ward.model import (
    Demographics,
    Deterioration,
    Documented,
    Finding,
    Modality,
    RedundantPair,
    Severity,
    SynergyPair,
    WardModel,
)
from services.diagnosis.ward.observation import Missingness, draw_recorded
from services.diagnosis.ward.population import Person, Population
from services.diagnosis.ward.sampling import Draws, coded, draw, sample_many
from services.diagnosis.ward.tables import WARD

DRAWS = 40_000
AT_62 = Person(62, "F", 3, "hill")
WOMAN_OF_78 = Person(78, "F", 3, "hill")
EVERYTHING: tuple[Modality, ...] = ("image", "note", "vitals")


@pytest.fixture(scope="module")
def small() -> WardModel:
    """Two diagnoses; a spot, a pair that agrees in the first and differs in the second, a fever noted and measured,
    a history that comes with age, and a pulse that makes patients worse."""
    member = np.tile([0.2, 0.4, 0.4], (2, 1))
    hot, history = np.array([[0.4, 0.6], [0.9, 0.1]]), np.array([[0.9, 0.1], [0.2, 0.8]])
    return WardModel(
        prior=np.array([0.3, 0.7]),
        findings=(
            Finding("spot", "image", ("absent", "present"), np.array([[0.2, 0.8], [0.9, 0.1]])),
            Finding("band", "image", ("absent", "left", "right"), member),
            Finding("pain", "note", ("absent", "left", "right"), member),
            Finding("felt", "note", ("absent", "present"), hot),
            Finding("measured", "vitals", ("absent", "present"), hot),
            Finding(
                "history",
                "note",
                ("unmentioned", "asserted"),
                np.array([0.6, 0.5])[:, None] * history[0] + np.array([0.4, 0.5])[:, None] * history[1],
                Documented(np.array([0.4, 0.5]), history, np.log(2.0)),
            ),
            Finding("pulse", "vitals", ("absent", "present"), np.array([[0.5, 0.5], [0.75, 0.25]])),
        ),
        pairs=(SynergyPair("band", "pain", (0.8, 0.8), np.array([0.9, 0.2])),),
        deterioration=Deterioration(np.array([0.0, -1.0]), {("measured", "present"): 1.0, ("pulse", "present"): 2.0}),
        severity=Severity(
            np.array([[0.0, -1.0], [-0.5, -2.0]]),
            {
                ("spot", "present"): 1.0,
                ("band", "left"): 0.5,
                ("pain", "right"): 1.5,
                ("felt", "present"): 0.5,
                ("pulse", "present"): 0.7,
            },
        ),
        overlaps=(RedundantPair("felt", "measured", 0.5, (hot, hot), (np.eye(2), np.eye(2))),),
        demographics=Demographics(np.array([np.log(2.0), 0.0]), np.array([0.0, 0.0])),
    )


NOTHING = {"spot": "absent", "band": "absent", "pain": "absent", "felt": "absent", "measured": "absent"} | {
    "history": "unmentioned",
    "pulse": "absent",
}


@pytest.fixture(scope="module")
def drawn() -> Draws:
    return sample_many(WARD, Population(), DRAWS, np.random.default_rng(3))


def agree(stated: NDArray[np.float64], came: NDArray[np.float64], *, least: int = 200) -> None:
    """What is stated as a probability comes as often, in every tenth of the unit interval."""
    bins = 0
    for low in np.arange(0, 1, 0.1):
        chosen = (stated >= low) & (stated < low + 0.1)
        n = chosen.sum()
        if n >= least:
            bins += 1
            spread = np.sqrt((stated[chosen] * (1 - stated[chosen])).sum()) / n
            assert abs(came[chosen].mean() - stated[chosen].mean()) < 4.5 * spread + 1 / n, low
    assert bins >= 2


def one_hot(labels: Sequence[int] | NDArray[np.intp]) -> NDArray[np.float64]:
    return np.eye(len(WARD.prior))[labels]


def test_one_finding_by_hand(small: WardModel) -> None:
    posterior = oracle.posterior(small, NOTHING | {"spot": "present"}, ("image",), AT_62)
    np.testing.assert_allclose(posterior, [0.24 / 0.31, 0.07 / 0.31])


def test_a_pair_by_hand(small: WardModel) -> None:
    # image and note: 0.3 x 0.2 x 0.9 x felt 0.4 x history (0.6 x 0.9 + 0.4 x 0.2 = 0.62) against
    # 0.7 x 0.9 x 0.2 x 0.9 x (0.5 x 0.9 + 0.5 x 0.2 = 0.55)
    posterior = oracle.posterior(small, NOTHING | {"band": "left", "pain": "left"}, ("image", "note"), AT_62)
    first, second = 0.3 * 0.2 * 0.9 * 0.4 * 0.62, 0.7 * 0.9 * 0.2 * 0.9 * 0.55
    np.testing.assert_allclose(posterior, [first / (first + second), second / (first + second)])


def test_what_is_said_twice_counts_by_its_joint_table(small: WardModel) -> None:
    # felt and measured: 0.5 x 0.6 + 0.5 x 0.36 = 0.48 against 0.5 x 0.1 + 0.5 x 0.01 = 0.055; history 0.62 and 0.55,
    # pulse 0.5 and 0.75
    findings = NOTHING | {"felt": "present", "measured": "present"}
    posterior = oracle.posterior(small, findings, ("note", "vitals"), AT_62)
    first, second = 0.3 * 0.48 * 0.62 * 0.5, 0.7 * 0.055 * 0.55 * 0.75
    np.testing.assert_allclose(posterior, [first / (first + second), second / (first + second)])


def test_age_tilts_the_prior_and_the_history_by_hand(small: WardModel) -> None:
    # 78 years = 62 + 16: prior 0.3 x 2 against 0.7; history present at odds 2 x 2/3 = 4/3 and 2 x 1
    posterior = oracle.posterior(small, NOTHING | {"history": "asserted"}, (), WOMAN_OF_78)
    np.testing.assert_allclose(posterior, [0.6 / 1.3, 0.7 / 1.3])
    posterior = oracle.posterior(small, NOTHING | {"history": "asserted"}, ("note",), WOMAN_OF_78)
    first = 0.6 * 0.4 * (3 / 7 * 0.1 + 4 / 7 * 0.8)
    second = 0.7 * 0.9 * (1 / 3 * 0.1 + 2 / 3 * 0.8)
    np.testing.assert_allclose(posterior, [first / (first + second), second / (first + second)])


def test_half_a_pair_says_nothing(small: WardModel) -> None:
    said = oracle.posterior(small, NOTHING | {"pain": "left"}, ("note",), AT_62)
    np.testing.assert_allclose(said, oracle.posterior(small, NOTHING, ("note",), AT_62))


def test_absence_that_depends_on_the_diagnosis_by_hand(small: WardModel) -> None:
    # the note is missing in 0.5 and 0.1 of the patients, the vitals in 0.2 and 0.2, the image never
    missingness = Missingness(by_diagnosis={"note": (0.5, 0.1), "vitals": (0.2, 0.2)})
    posterior = oracle.posterior_given_availability(
        small, NOTHING | {"spot": "present"}, ("image", "vitals"), AT_62, missingness
    )
    first, second = 0.3 * 0.8 * 0.4 * 0.5 * (0.5 * 0.8), 0.7 * 0.1 * 0.9 * 0.75 * (0.1 * 0.8)
    np.testing.assert_allclose(posterior, [first / (first + second), second / (first + second)])


def test_absence_at_random_says_nothing(small: WardModel) -> None:
    missing = Missingness(at_random=0.4)
    for pattern in oracle.PATTERNS:
        with_it = oracle.posterior_given_availability(small, NOTHING, pattern, AT_62, missing)
        np.testing.assert_allclose(with_it, oracle.posterior(small, NOTHING, pattern, AT_62))


def test_the_label_in_the_record_by_hand() -> None:
    recorded = oracle.recorded_posterior(np.array([0.7, 0.2, 0.1]), 0.1)
    np.testing.assert_allclose(recorded, [0.7 * 0.9 + 0.3 * 0.05, 0.2 * 0.9 + 0.8 * 0.05, 0.1 * 0.9 + 0.9 * 0.05])


def test_deterioration_without_vitals_by_hand(small: WardModel) -> None:
    # of the image alone, both vital signs summed out: 0.4 x 0.5 at a, 0.6 x 0.5 at a + 1, …
    def worsens(intercept: float, hot: float, fast: float) -> float:
        cells = [(1 - hot) * (1 - fast), hot * (1 - fast), (1 - hot) * fast, hot * fast]
        return float(sum(p / (1 + np.exp(-intercept - s)) for p, s in zip(cells, (0, 1, 2, 3), strict=True)))

    findings = NOTHING | {"spot": "present"}
    expected = 0.24 / 0.31 * worsens(0.0, 0.6, 0.5) + 0.07 / 0.31 * worsens(-1.0, 0.1, 0.25)
    assert oracle.deterioration_posterior(small, findings, ("image",), AT_62) == pytest.approx(expected)
    # A note that tells of fever makes the measured one likelier: 0.5 + 0.5 x 0.6 = 0.8 and 0.5 + 0.5 x 0.1 = 0.55
    first, second = 0.3 * 0.6 * 0.62, 0.7 * 0.1 * 0.55
    expected = (first * worsens(0.0, 0.8, 0.5) + second * worsens(-1.0, 0.55, 0.25)) / (first + second)
    told = oracle.deterioration_posterior(small, NOTHING | {"felt": "present"}, ("note",), AT_62)
    assert told == pytest.approx(expected)


def test_severity_by_hand(small: WardModel) -> None:
    # everything seen and the second diagnosis certain: p(beyond 0) = 1 / (1 + e^(0.5 - 1)), then 1 / (1 + e^(2 - 1))
    levels = small.severity.probabilities(NOTHING | {"spot": "present"})[1]
    beyond, further = 1 / (1 + np.exp(-0.5)), 1 / (1 + np.exp(1.0))
    np.testing.assert_allclose(levels, [1 - beyond, beyond * (1 - further), beyond * further])


@pytest.mark.parametrize("pattern", [(), *oracle.PATTERNS], ids=oracle.pattern_key)
def test_severity_is_what_going_through_every_patient_gives(small: WardModel, pattern: tuple[Modality, ...]) -> None:
    told = NOTHING | {"spot": "present", "band": "left", "pain": "left", "felt": "present"}
    seen = {finding.name for finding in small.findings if finding.modality in pattern}
    expected = np.zeros(3)
    for values in product(*(finding.values for finding in small.findings)):
        patient = dict(zip((finding.name for finding in small.findings), values, strict=True))
        if all(patient[name] == told[name] for name in seen):
            likelihood = np.exp(oracle.evidence(small, coded(small, patient), [WOMAN_OF_78]).log_likelihood(EVERYTHING))
            joint = small.prior_given([WOMAN_OF_78])[0] * likelihood[0]
            expected += joint @ small.severity.probabilities(patient)
    stated = oracle.severity_posterior(small, told, pattern, WOMAN_OF_78)
    np.testing.assert_allclose(stated, expected / expected.sum())


def test_posterior_of_every_cell_of_a_small_ward_is_what_counting_gives(small: WardModel) -> None:
    n, rng = 60_000, np.random.default_rng(4)
    drawn = draw(small, [AT_62] * n, rng)
    for pattern in oracle.PATTERNS:
        columns = [j for j, finding in enumerate(small.findings) if finding.modality in pattern]
        cells, first, members = np.unique(drawn.values[:, columns], axis=0, return_index=True, return_inverse=True)
        stated = oracle.evidence(small, drawn.values[first], [AT_62] * len(first)).posterior(pattern)[:, 0]
        total = np.bincount(members.ravel(), minlength=len(cells))
        came = np.bincount(members.ravel(), weights=drawn.labels == 0, minlength=len(cells))
        error = np.sqrt(stated * (1 - stated) / total)
        # The least likely of some hundred cells may lie far out; one more patient is the grain of counting.
        assert (np.abs(came / total - stated) < 4.5 * error + 1 / total).all(), pattern


@pytest.mark.parametrize("pattern", [(), *oracle.PATTERNS], ids=oracle.pattern_key)
def test_stated_probabilities_are_frequencies_in_every_pattern(drawn: Draws, pattern: tuple[Modality, ...]) -> None:
    stated = oracle.evidence(WARD, drawn.values, drawn.persons).posterior(pattern)
    agree(stated.ravel(), one_hot(drawn.labels).ravel())


@pytest.mark.parametrize("sex", ["F", "M"])
@pytest.mark.parametrize("ages", [range(18, 45), range(45, 75), range(75, 97)], ids=["young", "middle", "old"])
def test_stated_probabilities_are_frequencies_in_either_sex_at_any_age(drawn: Draws, ages: range, sex: str) -> None:
    chosen = np.array([person.sex == sex and person.age_years in ages for person in drawn.persons])
    stated = oracle.evidence(WARD, drawn.values, drawn.persons).posterior(("note",))
    agree(stated[chosen].ravel(), one_hot(drawn.labels)[chosen].ravel(), least=100)


def test_stated_probabilities_are_frequencies_given_what_is_missing(drawn: Draws) -> None:
    missingness = Missingness(by_diagnosis={"image": (0.1,) * 4 + (0.8,) * 4, "vitals": (0.7,) * 2 + (0.1,) * 6})
    rng, chances = np.random.default_rng(5), missingness.probabilities(8)
    there = [missingness.draw(label, 8, rng) for label in drawn.labels]
    evidence = oracle.evidence(WARD, drawn.values, drawn.persons)
    stated = np.empty((DRAWS, 8))
    for pattern in oracle.PATTERNS:
        chosen = np.array([available == pattern for available in there])
        if not chosen.any():  # a pattern without the note never comes: one that is never missing is not let go
            assert (chances[pattern] == 0).all()
            continue
        stated[chosen] = evidence.posterior(pattern, absence=chances[pattern])[chosen]
        agree(stated[chosen].ravel(), one_hot(drawn.labels)[chosen].ravel(), least=100)
    right = drawn.labels == stated.argmax(axis=1)
    blind = np.array([evidence.posterior(pattern).argmax(axis=1) for pattern in oracle.PATTERNS])
    of = {pattern: i for i, pattern in enumerate(oracle.PATTERNS)}
    without = drawn.labels == blind[[of[available] for available in there], np.arange(DRAWS)]
    assert right.mean() > without.mean() + 0.01, "who is missing what says something of y"


def test_stated_probabilities_of_the_record_are_frequencies(drawn: Draws) -> None:
    rng = np.random.default_rng(6)
    recorded = [draw_recorded(int(label), 0.3, 8, rng) for label in drawn.labels]
    posterior = oracle.evidence(WARD, drawn.values, drawn.persons).posterior(("note", "vitals"))
    agree(oracle.recorded_posterior(posterior, 0.3).ravel(), one_hot(recorded).ravel())


@pytest.mark.parametrize("pattern", oracle.PATTERNS, ids=oracle.pattern_key)
def test_the_deterioration_probability_is_its_frequency(drawn: Draws, pattern: tuple[Modality, ...]) -> None:
    posterior = oracle.evidence(WARD, drawn.values, drawn.persons).posterior(pattern)
    stated = (posterior * oracle.deterioration_given(WARD, drawn.values, pattern)).sum(axis=1)
    agree(stated, drawn.deterioration.astype(np.float64))


@pytest.mark.parametrize("pattern", [(), *oracle.PATTERNS], ids=oracle.pattern_key)
def test_the_probability_of_each_severity_is_its_frequency(drawn: Draws, pattern: tuple[Modality, ...]) -> None:
    posterior = oracle.evidence(WARD, drawn.values, drawn.persons).posterior(pattern)
    stated = np.einsum("nd,ndl->nl", posterior, oracle.severity_given(WARD, drawn.values, pattern))
    np.testing.assert_allclose(stated.sum(axis=1), 1)
    for level in range(3):
        agree(stated[:, level], (drawn.severity == level).astype(np.float64))


def test_each_modality_tells_of_the_severity(drawn: Draws) -> None:
    evidence, moderate = oracle.evidence(WARD, drawn.values, drawn.persons), drawn.severity > 0

    def reached(*seen: Modality) -> float:
        levels = np.einsum("nd,ndl->nl", evidence.posterior(seen), oracle.severity_given(WARD, drawn.values, seen))
        return float(roc_auc_score(moderate, 1 - levels[:, 0]))

    whole = reached(*EVERYTHING)
    for modality in EVERYTHING:
        assert reached(modality) > 0.65
        assert reached(*(other for other in EVERYTHING if other != modality)) < whole - 0.02, modality


def test_one_patient_is_told_what_many_are_told(drawn: Draws) -> None:
    many = oracle.evidence(WARD, drawn.values[:20], drawn.persons[:20])
    for i in range(20):
        findings = {f.name: f.values[code] for f, code in zip(WARD.findings, drawn.values[i], strict=True)}
        alone = oracle.posteriors(WARD, findings, drawn.persons[i])
        worse = oracle.deterioration_posteriors(WARD, findings, drawn.persons[i])
        grave = oracle.severity_posteriors(WARD, findings, drawn.persons[i])
        for pattern in oracle.PATTERNS:
            np.testing.assert_allclose(alone[oracle.pattern_key(pattern)], many.posterior(pattern)[i])
            given = oracle.deterioration_given(WARD, drawn.values[:20], pattern)
            expected = (many.posterior(pattern) * given).sum(axis=1)[i]
            assert worse[oracle.pattern_key(pattern)] == pytest.approx(expected)
            levels = (many.posterior(pattern)[..., None] * oracle.severity_given(WARD, drawn.values[:20], pattern)).sum(
                1
            )
            np.testing.assert_allclose(grave[oracle.pattern_key(pattern)], levels[i])


def test_every_pattern_has_a_posterior_that_sums_to_one(drawn: Draws) -> None:
    keys = {"image", "note", "vitals", "image+note", "image+vitals", "note+vitals", "image+note+vitals"}
    findings = {finding.name: finding.values[0] for finding in WARD.findings}
    posteriors = oracle.posteriors(WARD, findings, AT_62)
    assert posteriors.keys() == keys
    assert [sum(posterior) for posterior in posteriors.values()] == pytest.approx([1] * 7)


def test_all_three_modalities_are_needed_and_enough(drawn: Draws) -> None:
    evidence = oracle.evidence(WARD, drawn.values, drawn.persons)
    right = {
        oracle.pattern_key(pattern): (evidence.posterior(pattern).argmax(axis=1) == drawn.labels).mean()
        for pattern in oracle.PATTERNS
    }
    assert 0.85 < right["image+note+vitals"] < 0.92
    assert all(0.45 < right[modality] < 0.65 for modality in ("image", "note", "vitals"))


def test_age_and_sex_alone_say_little(drawn: Draws) -> None:
    """Enough that a subgroup's prevalence differs, too little to lean on (0.60 macro AUROC)."""
    prior = WARD.prior_given(drawn.persons)
    assert 0.58 < roc_auc_score(one_hot(drawn.labels), prior, average="macro") < 0.65
