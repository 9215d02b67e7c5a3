"""The built page in a real browser, served under the real headers and asked for by a real token."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path

import pytest
from playwright.sync_api import Page, expect

from shared.auth import Role
from tests.services.review.conftest import Ward
from tests.services.review.neighbours import all_cases
from tests.support.browser import check_case_page, sign_in, watch_for_errors

pytestmark = pytest.mark.e2e


def open_case(page: Page, ward: Ward, case: str) -> None:
    sign_in(page, ward.base_url, ward.token())
    page.goto(f"{ward.base_url}/#/case/{case}")


@pytest.mark.parametrize("case", ["full", "abstained", "no-consent", "vitals-only", "failed"])
def test_case_page_shows_what_the_result_says(page: Page, ward: Ward, case: str) -> None:
    check_case_page(page, ward.base_url, ward.token(), case)


def test_visitor_without_a_token_is_asked_for_one(page: Page, ward: Ward) -> None:
    page.goto(f"{ward.base_url}/#/case/full")
    expect(page.get_by_label("Access token")).to_be_focused()


def test_pasted_token_signs_in(page: Page, ward: Ward) -> None:
    page.goto(ward.base_url)
    page.get_by_label("Access token").fill(f"Bearer {ward.token()}")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_text("demo-clinician")).to_be_visible()


def test_something_else_pasted_is_refused_at_once(page: Page, ward: Ward) -> None:
    page.goto(ward.base_url)
    page.get_by_label("Access token").fill("hunter2")
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("This is not a token")


def test_token_of_a_link_stays_out_of_address_and_history(page: Page, ward: Ward) -> None:
    sign_in(page, ward.base_url, ward.token())
    page.reload()
    assert "token" not in page.url
    assert page.evaluate("history.length") <= 2


def test_token_that_the_services_refuse_leads_back_to_signing_in(page: Page, ward: Ward) -> None:
    page.goto(f"{ward.base_url}/#token={ward.token()[:-6]}AAAAAA")
    # While the refusal is on its way, the work-list says that it is loading, in a status of its own.
    expect(page.get_by_role("status").filter(has_text="Sign in again")).to_be_visible()


def test_expired_token_ends_the_session(page: Page, ward: Ward) -> None:
    expired = ward.bed.issuer.mint(Role.CLINICIAN, lifetime=timedelta(hours=-1))
    page.goto(f"{ward.base_url}/#token={expired}")
    expect(page.get_by_label("Access token")).to_be_visible()


def test_work_list_names_every_case(page: Page, ward: Ward) -> None:
    sign_in(page, ward.base_url, ward.token())
    for case in all_cases().values():
        expect(page.get_by_role("link", name=case["patient"])).to_be_visible()


def test_new_diagnosis_is_followed_to_its_result(page: Page, ward: Ward) -> None:
    sign_in(page, ward.base_url, ward.token())
    page.get_by_label("Patient id").fill("CX-9000")
    page.get_by_role("button", name="New diagnosis").click()
    expect(page.get_by_role("heading", level=1)).to_contain_text("CX-9000")
    expect(page.get_by_role("region", name="Assessment")).to_contain_text("Pneumonia")


def test_patient_id_never_enters_a_url(page: Page, ward: Ward) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_case(page, ward, "full")
    expect(page.locator(".vital canvas").first).to_be_visible()
    assert [url for url in asked if "CX-1042" in url] == []


def test_page_loads_nothing_from_elsewhere(page: Page, ward: Ward) -> None:
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    open_case(page, ward, "full")
    expect(page.get_by_test_id("heatmap")).to_be_visible()
    assert [url for url in asked if not url.startswith((ward.base_url, "blob:"))] == []


def test_marked_words_are_those_of_the_spans(page: Page, ward: Ward) -> None:
    open_case(page, ward, "full")
    # What comes late moves the words from under the mouse.
    expect(page.get_by_test_id("heatmap")).to_be_visible()
    mark = page.locator("mark.span").filter(has_text="rusty sputum")
    mark.hover()
    expect(mark.get_by_role("tooltip")).to_have_text("for +0.27 log-odds")


def test_heat_map_covers_the_radiograph_exactly(page: Page, ward: Ward) -> None:
    open_case(page, ward, "full")
    expect(page.get_by_test_id("heatmap")).to_be_visible()
    picture, overlay = (page.locator(".viewer-layers img").nth(i).bounding_box() for i in (0, 1))
    assert picture == overlay


def test_heat_map_can_be_taken_away(page: Page, ward: Ward) -> None:
    open_case(page, ward, "full")
    page.get_by_label("Heat map", exact=True).uncheck()
    expect(page.get_by_test_id("heatmap")).to_have_count(0)


def test_keys_zoom_the_radiograph(page: Page, ward: Ward) -> None:
    open_case(page, ward, "full")
    frame = page.get_by_role("group", name="Radiograph.")
    frame.focus()
    frame.press("+")
    expect(page.locator(".viewer-scale")).to_have_text("125 %")


def test_sentence_leads_to_its_evidence(page: Page, ward: Ward) -> None:
    open_case(page, ward, "full")
    page.get_by_role("region", name="In words").get_by_role("button", name="Vitals").click()
    expect(page.locator("#evidence-vitals")).to_be_focused()


def test_one_click_accepts(page: Page, ward: Ward) -> None:
    open_case(page, ward, "full")
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text("Recorded: you accepted the assessment.")).to_be_visible()
    assert ward.feedback[-1] == {"diagnosis": "full", "action": "accept", "code": None, "text": None}


def test_override_needs_a_diagnosis_and_sends_its_code(page: Page, ward: Ward) -> None:
    open_case(page, ward, "full")
    page.get_by_text("Override", exact=True).click()
    expect(page.get_by_role("button", name="Record", exact=True)).to_be_disabled()
    page.get_by_label("Your diagnosis").select_option("Pulmonary embolism")
    page.get_by_role("button", name="Record", exact=True).click()
    expect(page.get_by_text("Recorded: your diagnosis is Pulmonary embolism.")).to_be_visible()
    assert ward.feedback[-1]["code"] == "59282003"


def test_receipt_is_downloaded(page: Page, ward: Ward, tmp_path: Path) -> None:
    open_case(page, ward, "full")
    with page.expect_download() as download:
        page.get_by_role("button", name="Receipt").click()
    download.value.save_as(tmp_path / "receipt")
    assert (tmp_path / "receipt").read_text().startswith("c2sp.org/tlog-proof@v1")


def test_abstained_case_cannot_be_accepted_with_a_click(page: Page, ward: Ward) -> None:
    open_case(page, ward, "abstained")
    expect(page.get_by_role("radio")).to_have_count(2)


def test_case_that_is_not_there_says_so(page: Page, ward: Ward) -> None:
    open_case(page, ward, "nowhere")
    expect(page.get_by_role("alert")).to_contain_text("There is no such diagnosis.")


def test_page_says_that_it_is_no_medical_device(page: Page, ward: Ward) -> None:
    sign_in(page, ward.base_url, ward.token())
    expect(page.get_by_role("banner")).to_contain_text("not a medical device")


def test_theme_is_kept(page: Page, ward: Ward) -> None:
    sign_in(page, ward.base_url, ward.token())
    page.get_by_role("button", name="Use dark colours").click()
    page.reload()
    expect(page.locator("html")).to_have_attribute("data-theme", "dark")


def test_narrow_screen_needs_no_sideways_scrolling(page: Page, ward: Ward) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    open_case(page, ward, "full")
    expect(page.get_by_test_id("heatmap")).to_be_visible()
    assert page.evaluate("document.documentElement.scrollWidth") <= 390


def test_narrow_work_list_has_all_its_controls_within_the_screen(page: Page, ward: Ward) -> None:
    page.set_viewport_size({"width": 390, "height": 844})
    sign_in(page, ward.base_url, ward.token())
    expect(page.get_by_role("button", name="New diagnosis")).to_be_visible()
    controls = page.locator("button, input, select, a").filter(visible=True).all()
    assert len(controls) > 5
    for control in controls:
        box = control.bounding_box()
        assert box is not None
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 390


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_text_stands_out_from_its_ground(page: Page, ward: Ward, theme: str) -> None:
    """WCAG 2.2 success criterion 1.4.3: 4.5 to 1, for each pair of colours that text is set in."""
    page.emulate_media(color_scheme="dark" if theme == "dark" else "light")
    open_case(page, ward, "full")
    expect(page.locator("html")).to_have_attribute("data-theme", theme)
    pairs = [(ink, ground) for ink in ("--ink", "--ink-soft") for ground in ("--surface", "--surface-sunk", "--ground")]
    pairs += [(f"--{tone}", f"--{tone}-soft") for tone in ("good", "warn", "bad", "accent")]
    pairs += [("--for", "--surface"), ("--against", "--surface"), ("--bad", "--surface"), ("--accent-ink", "--accent")]
    low = {pair: ratio for pair in pairs if (ratio := contrast(page, *pair)) < 4.5}
    assert low == {}


def contrast(page: Page, ink: str, ground: str) -> float:
    """The contrast ratio of two colours of the theme (WCAG 2.2)."""
    read = "name => getComputedStyle(document.documentElement).getPropertyValue(name).trim()"
    one, other = sorted((luminance(str(page.evaluate(read, name))) for name in (ink, ground)), reverse=True)
    return (one + 0.05) / (other + 0.05)


def luminance(colour: str) -> float:
    """Relative luminance of `#rgb` or `#rrggbb` (WCAG 2.2)."""
    digits = colour.lstrip("#")
    digits = "".join(d * 2 for d in digits) if len(digits) == 3 else digits
    assert re.fullmatch(r"[0-9a-f]{6}", digits), colour
    parts = [int(digits[i : i + 2], 16) / 255 for i in (0, 2, 4)]
    linear = [p / 12.92 if p <= 0.04045 else ((p + 0.055) / 1.055) ** 2.4 for p in parts]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


def test_nothing_goes_wrong_on_the_way_through(page: Page, ward: Ward) -> None:
    problems = watch_for_errors(page)
    sign_in(page, ward.base_url, ward.token())
    page.get_by_role("link", name="CX-1042").click()
    expect(page.get_by_test_id("heatmap")).to_be_visible()
    page.get_by_role("link", name="Work-list").click()
    expect(page.get_by_role("heading", name="Work-list")).to_be_visible()
    assert problems == []


def test_role_that_may_not_read_is_told_which_one_may(page: Page, ward: Ward) -> None:
    page.goto(f"{ward.base_url}/#token={ward.token(Role.AUDITOR)}")
    expect(page.get_by_role("alert")).to_contain_text("needs the role clinician")
