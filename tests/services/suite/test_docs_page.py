"""`/docs` fetches nothing from elsewhere."""

from __future__ import annotations

import json
import re

from services.suite.docs_page import SWAGGER_UI, docs_page
from tests.support.common import PROJECT_ROOT


def test_the_page_names_no_other_host() -> None:
    assert re.findall(rb'(?:src|href)="(?!/|data:)[^"]*"', docs_page().body) == []


def test_the_version_is_the_one_that_the_build_installs() -> None:
    package = json.loads((PROJECT_ROOT / "services" / "review" / "ui" / "package.json").read_text())
    assert package["devDependencies"]["swagger-ui-dist"] == SWAGGER_UI
