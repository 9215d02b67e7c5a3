"""The page on importing a wearable is true: its commands run as written, in order."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

from services.suite.environment import DataDirectory
from services.vitals.app import create_app
from services.vitals.settings import Settings
from shared.settings import CommonSettings
from tests.services.vitals.conftest import NOW
from tests.services.vitals.imports.apple_files import export_xml, export_zip, record
from tests.services.vitals.imports.test_fhir import observation
from tests.services.vitals.imports.test_fit import NOW as FIT_NOW
from tests.services.vitals.imports.test_fitbit import takeout
from tests.services.vitals.imports.test_open_mhealth import point
from tests.support.common import PROJECT_ROOT
from tests.support.fit_files import RECORD, UINT8, fit_file
from tests.support.servers import serve

PAGE = PROJECT_ROOT / "docs" / "how-to" / "import-a-wearable.md"


def write_exports(directory: Path) -> None:
    """A small file of each kind that the page names."""
    files = {
        "export.zip": export_zip(export_xml([record("HeartRate", 71, "count/min"), record("StepCount", 9, "count")])),
        "activity.fit": fit_file([(RECORD, [FIT_NOW, (3, UINT8, 60)])]),
        "heart_rate.json": takeout("01/09/26 06:32:14"),
        "Observation.ndjson": json.dumps(observation()).encode(),
        "data-points.json": json.dumps([point()]).encode(),
    }
    for name, content in files.items():
        (directory / name).write_bytes(content)


def test_the_page_s_commands_run_as_written(database: str, tmp_path: Path) -> None:
    data = DataDirectory(tmp_path / "suite")
    data.prepare()
    common = CommonSettings(
        auth_jwks_file=data.issuer.jwks_file,
        service_token_file=data.secrets / "service.token",
        pseudonym_key_file=data.secrets / "pseudonym.key",
        key_encryption_key_file=data.secrets / "key-encryption.key",
        keys_database_url=f"sqlite:///{data.root}/keys/keys.db",
        audit_url="http://127.0.0.1:9",
        consent_at_ingest=False,
        blob_url=f"file://{tmp_path}/blobs",
    )
    write_exports(tmp_path)
    script = "\n".join(["set -euo pipefail", *re.findall(r"^```bash\n(.*?)^```", PAGE.read_text(), re.M | re.S)])
    with serve(create_app(Settings(database_url=database), common, clock=lambda: NOW)) as address:
        environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "PYTHONPATH": str(PROJECT_ROOT),
            "CONSILIUM_URL": address,
            "CONSILIUM_DATA_DIR": str(data.root),
        }
        command = ["bash", "-c", script]
        done = subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=200, check=False
        )
    assert done.returncode == 0, done.stdout + done.stderr
    told = re.findall(r"^\d+ records read: .*", done.stdout, re.M)
    assert told[0] in PAGE.read_text()
    assert [line.partition(": ")[2].split()[0] for line in told] == ["2", "1", "1", "1"]
    assert '"items":[]' in done.stdout
