"""The whole log checked: from its database, over HTTP, from a directory of tiles, and without the suite."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from services.audit.app import create_app
from services.audit.verify import main
from services.audit.verify.log import verify_log
from services.audit.verify.notes import parse_key
from services.audit.verify.sources import open_source
from tests.services.audit.support import Audit, event, open_audit, settings_of
from tests.services.audit.verify.houses import Left
from tests.services.audit.verify.support import run_alone
from tests.support.common import TestBed
from tests.support.servers import serve


def _mirror(audit: Audit, directory: Path, size: int) -> None:
    """Fetch what is published, as any tool of the tiles does."""
    paths = ["checkpoint", *(f"tile/0/{n:03d}" for n in range(size // 256)), f"tile/0/{size // 256:03d}.p/{size % 256}"]
    paths += [f"tile/1/000.p/{size // 256}", *(f"tile/entries/{n:03d}" for n in range(size // 256))]
    paths += [f"tile/entries/{size // 256:03d}.p/{size % 256}"]
    for path in paths:
        file = directory / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(audit.client.get(f"/audit/{path}").raise_for_status().content)


@pytest.fixture
def mirror(audit: Audit, tmp_path: Path) -> Path:
    """A copy of the published tiles of a log of 700 entries."""
    audit.append(*(event() for _ in range(300)))
    audit.append(*(event() for _ in range(400)))
    _mirror(audit, tmp_path / "mirror", 700)
    return tmp_path / "mirror"


def test_log_is_checked_over_http(bed: TestBed, capsys: pytest.CaptureFixture[str]) -> None:
    with open_audit(bed) as audit:
        audit.append(*(event() for _ in range(300)))
    with serve(create_app(settings_of(bed), bed.common)) as url:
        status = main(["log", f"{url}/audit", "--key", audit.vkey.strip(), "--json"])
    answer = json.loads(capsys.readouterr().out)
    assert (status, answer["good"], answer["entries"]) == (0, True, 300)


def test_the_address_of_the_suite_instead_of_its_log_is_told_apart(
    bed: TestBed, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_audit(bed) as audit:
        audit.append(event())
    with serve(create_app(settings_of(bed), bed.common)) as url:
        status = main(["log", url, "--key", audit.vkey.strip()])
    assert (status, f"{url}/audit" in capsys.readouterr().err) == (2, True)


def test_people_read_which_numbers_are_missing_and_nothing_where_none_are(
    bed: TestBed, capsys: pytest.CaptureFixture[str]
) -> None:
    with open_audit(bed) as audit:
        audit.append(*(event(producer="notes", producerSeq=number) for number in (1, 2, 5)))
        audit.append(event(producer="vitals", producerSeq=1))
    with serve(create_app(settings_of(bed), bed.common)) as url:
        main(["log", f"{url}/audit", "--key", audit.vkey.strip()])
    assert "notes highest 5; missing 3 to 4; vitals highest 1\n" in capsys.readouterr().out


def test_directory_of_tiles_is_checked(audit: Audit, mirror: Path) -> None:
    with open_source(str(mirror)) as source:
        report = verify_log(source, [parse_key(audit.vkey)])
    assert (report.faults, report.facts["entries"]) == ([], 700)


@pytest.mark.parametrize(("path", "index"), [("tile/entries/001", 256), ("tile/0/001", 256), ("tile/1/000.p/2", 0)])
def test_flipped_bit_of_a_published_file_is_found(audit: Audit, mirror: Path, path: str, index: int) -> None:
    content = bytearray((mirror / path).read_bytes())
    content[20] ^= 1
    (mirror / path).write_bytes(content)
    with open_source(str(mirror)) as source:
        assert verify_log(source, [parse_key(audit.vkey)]).first_bad == index


def test_checker_runs_alone_on_a_database(sqlite_log: Left, tmp_path: Path) -> None:
    (tmp_path / "held.note").write_text(sqlite_log.note)
    arguments = ["log", sqlite_log.place, "--key", sqlite_log.vkey.strip(), "--checkpoint", str(tmp_path / "held.note")]
    answer = run_alone(*arguments, "--json")
    assert (answer.returncode, json.loads(answer.stdout)["firstBad"] if answer.returncode else None) == (0, None)


def test_a_database_in_postgres_needs_its_driver_and_says_so() -> None:
    answer = run_alone("log", "postgresql://nowhere/x", "--key", "a+b+c")
    assert answer.returncode == 2
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    answer = run_alone("log", "postgresql://nowhere/x", "--key", vkey)
    assert (answer.returncode, "psycopg" in answer.stderr) == (2, True)


@pytest.mark.parametrize("place", ["/nowhere/audit.db", "http://127.0.0.1:9/audit"])
def test_log_that_cannot_be_read_exits_2(sqlite_log: Left, place: str) -> None:
    assert run_alone("log", place, "--key", sqlite_log.vkey.strip()).returncode == 2


@pytest.mark.parametrize("place", ["", "audit.db"])
def test_whoever_names_a_data_directory_is_told_where_the_log_is(sqlite_log: Left, tmp_path: Path, place: str) -> None:
    answer = run_alone("log", str(tmp_path / place), "--key", sqlite_log.vkey.strip())
    assert (answer.returncode, "db/audit.db" in answer.stderr) == (2, True)


def test_file_that_is_no_database_exits_2(sqlite_log: Left, tmp_path: Path) -> None:
    (tmp_path / "x.db").write_text("not a database, but long enough to be taken for one" * 20)
    assert run_alone("log", str(tmp_path / "x.db"), "--key", sqlite_log.vkey.strip()).returncode == 2


def test_30_key_of_another_log_is_refused(sqlite_log: Left) -> None:
    vkey = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
    answer = run_alone("log", sqlite_log.place, "--key", vkey, "--json")
    assert (answer.returncode, "not signed by" in json.loads(answer.stdout)["reason"]) == (1, True)
