"""A clinician's browser against the running suite: work-list and case page."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from playwright.sync_api import expect

from services.diagnosis.ward.patient import WardPatient
from shared.auth import Role
from tests.support.browser import check_case_page, open_browser, sign_in
from tests.support.cases import Case, admit
from tests.support.suite import RunningSuite

pytestmark = pytest.mark.e2e

NextPatient = Callable[[], WardPatient]


@pytest.mark.parametrize("consents", [("image", "note", "vitals"), ("image", "vitals"), None], ids=str)
def test_a_case_is_shown_with_what_was_used(
    suite: RunningSuite, ward: NextPatient, consents: tuple[str, ...] | None
) -> None:
    case = Case.of(ward())
    admit(suite, case, consents=consents)
    result = suite.diagnose(case.patient)
    with open_browser() as browser:
        check_case_page(browser.new_page(), suite.address, suite.data.issuer.mint(Role.CLINICIAN), result["id"])


def test_the_work_list_names_the_patient(suite: RunningSuite, ward: NextPatient) -> None:
    case = Case.of(ward())
    admit(suite, case)
    suite.diagnose(case.patient)
    with open_browser() as browser:
        page = browser.new_page()
        sign_in(page, suite.address, suite.data.issuer.mint(Role.CLINICIAN))
        expect(page.get_by_text(case.patient).first).to_be_visible()
