"""Debian's Chromium driven by Playwright, and what a case page must show whoever serves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from playwright.sync_api import Browser, Page, expect, sync_playwright

CHROMIUM = Path("/usr/bin/chromium")
ARGUMENTS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
)
PATIENCE_MS = 20_000
"""A busy machine is slow; what is there at once is still found at once."""
FINAL = ("succeeded", "abstained", "failed")


@contextmanager
def open_browser() -> Iterator[Browser]:
    """A headless Chromium; skips the test where there is none."""
    if not CHROMIUM.exists():
        pytest.skip("needs Debian's chromium (apt-get install chromium)")
    expect.set_options(timeout=PATIENCE_MS)
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=str(CHROMIUM), args=list(ARGUMENTS))
        try:
            yield browser
        finally:
            browser.close()


def watch_for_errors(page: Page) -> list[str]:
    """A list that gathers what goes wrong in the page: uncaught exceptions, refused policies, failed loads."""
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    page.on("console", lambda message: problems.append(message.text) if message.type == "error" else None)
    return problems


def sign_in(page: Page, base_url: str, token: str) -> None:
    """Sign in by the link that `consilium up` prints; the token leaves the address bar at once."""
    page.goto(f"{base_url}/#token={token}")
    expect(page.get_by_role("heading", name="Work-list")).to_be_visible()
    expect(page).to_have_url(f"{base_url}/#/")


def check_case_page(page: Page, base_url: str, token: str, diagnosis_id: str) -> None:
    """Open the page of a final diagnosis and find there what the contract says of it.

    What should be seen is asked of the running suite, so this holds for any case: with all evidence, some, or none.
    """
    answer = httpx.get(f"{base_url}/diagnoses/{diagnosis_id}", headers={"Authorization": f"Bearer {token}"}, timeout=30)
    result = answer.raise_for_status().json()
    assert result["status"] in FINAL, "the diagnosis is not final yet"
    problems = watch_for_errors(page)
    sign_in(page, base_url, token)
    page.goto(f"{base_url}/#/case/{diagnosis_id}")
    expect(page.get_by_role("heading", level=1)).to_contain_text(result["patient"])
    if result["status"] == "failed":
        expect(page.get_by_text("There is no result for this case")).to_be_visible()
    else:
        _check_assessment(page, result)
        _check_evidence(page, result)
    assert problems == []


def _check_assessment(page: Page, result: dict[str, Any]) -> None:
    diagnoses = result["diagnoses"]
    ranking = page.get_by_role("region", name="Assessment").get_by_role("listitem")
    expect(ranking).to_have_count(len(diagnoses))
    if diagnoses:
        expect(ranking.first).to_contain_text(diagnoses[0]["code"]["display"])
    expect(page.get_by_role("region", name="Record")).to_contain_text(f"entry {result['audit']['index']}")
    if result["abstained"]:
        expect(page.get_by_role("region", name="Abstained")).to_be_visible()


def _check_evidence(page: Page, result: dict[str, Any]) -> None:
    explanation = result["explanation"]
    if explanation["images"]:
        expect(page.get_by_alt_text("Chest radiograph of this case").first).to_be_visible()
        expect(page.get_by_test_id("heatmap").first).to_be_visible()
        for picture in page.locator(".viewer-layers img").all():
            assert picture.evaluate("image => image.decode().then(() => image.naturalWidth)") > 0
    spans = [span for note in explanation["notes"] for span in note["spans"]]
    if spans:
        expect(page.locator(".note-text mark").first).to_be_visible()
    if explanation["vitals"]:
        expect(page.locator(".vital canvas").first).to_be_visible()
    if explanation["modalities"]:
        bars = page.get_by_role("region", name="What each contributed").get_by_role("row")
        # The heading, the base, one for each modality, the total.
        expect(bars).to_have_count(len(explanation["modalities"]["contributions"]) + 3)
