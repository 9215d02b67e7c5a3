"""A log and its witnesses over real sockets: cosigned, down, too few, rolled back (10), rebuilt (16), nonsense."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response

from services.audit.verify import main
from services.suite.servers import free_port
from services.witness.app import create_app as create_witness
from services.witness.settings import Settings as WitnessSettings
from shared.auth import Role
from shared.tlog.cosignature import Ed25519Cosigner
from tests.services.audit.support import ORIGIN, Audit, event, open_audit
from tests.services.audit.verify.houses import Left
from tests.services.audit.verify.rebuild import rebuild
from tests.support.common import TestBed
from tests.support.servers import serve


class House:
    """A log's directory, and witnesses that may be started and stopped."""

    def __init__(self, bed: TestBed, count: int) -> None:
        self.bed = bed
        self.ports = [free_port() for _ in range(count)]
        with open_audit(bed) as audit:
            self.vkey = audit.vkey
        (bed.directory / "logs").write_text(self.vkey)
        self.apps = [create_witness(self._settings(n)) for n in range(count)]
        self.keys = [str(app.state.witness.cosigner.key) for app in self.apps]

    def _settings(self, number: int) -> WitnessSettings:
        home = self.bed.directory / f"w{number}"
        home.mkdir()
        return WitnessSettings(
            database_url=f"sqlite:///{home}/witness.db", signing_key_file=home / "key", public_key_file=home / "vkey",
            name=f"auditor.example/w{number}", log_keys_file=self.bed.directory / "logs",
        )  # fmt: skip

    def witness(self, number: int = 0) -> Any:
        """Run one witness at its address."""
        return serve(self.apps[number], self.ports[number])

    def log(self, quorum: str = "any") -> Any:
        """Run the log, which asks all of them."""
        names = [f"w{n}" for n in range(len(self.keys))]
        lines = [f"witness {n} {k} http://127.0.0.1:{p}" for n, k, p in zip(names, self.keys, self.ports, strict=True)]
        policy = self.bed.directory / "policy"
        policy.write_text("\n".join([*lines, f"group g {quorum} {' '.join(names)}", "quorum g", ""]))
        return open_audit(self.bed, witness_policy_file=policy)

    def known(self, number: int = 0) -> str:
        """The note that a running witness holds."""
        url = f"http://127.0.0.1:{self.ports[number]}/checkpoint"
        return httpx.get(url, params={"origin": ORIGIN}, trust_env=False).raise_for_status().text


@pytest.fixture
def house(bed: TestBed) -> House:
    """One witness, not yet running."""
    return House(bed, 1)


def _eventually(check: Callable[[], Any], what: str) -> Any:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        if found := check():
            return found
        time.sleep(0.05)
    raise AssertionError(f"{what} did not happen")


def _witnessed(audit: Audit, size: int) -> str:
    def _look() -> str | None:
        answer = audit.client.get("/audit/checkpoint/witnessed")
        return answer.text if answer.status_code == 200 and int(answer.text.split("\n")[1]) >= size else None

    note: str = _eventually(_look, f"a quorum for {size} entries")
    return note


def test_checkpoints_are_cosigned_beside_the_events(house: House) -> None:
    with house.witness(), house.log() as audit:
        for _ in range(3):
            audit.append(event(), event())
        note = _witnessed(audit, 6)
    assert note.count("— auditor.example/w0 ") == 1


def test_cosigned_receipt_and_log_satisfy_whoever_asks_for_witnesses(
    house: House, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with house.witness(), house.log() as audit:
        audit.append(*(event() for _ in range(5)))
        _witnessed(audit, 5)
        with serve(_over(audit)) as url:
            asked = ["--key", house.vkey.strip(), "--witness-key", house.keys[0]]
            assert main(["log", f"{url}/audit", *asked]) == 0
        plain = audit.get("/audit/entries/3/receipt").text
        witnessed = audit.get("/audit/entries/3/receipt", witnessed=True).text
        (tmp_path / "held.note").write_text(house.known())
    asked = ["--key", house.vkey.strip(), "--witness-key", house.keys[0], "--json"]
    (tmp_path / "plain").write_text(plain)
    (tmp_path / "witnessed").write_text(witnessed)
    assert main(["receipt", str(tmp_path / "witnessed"), *asked]) == 0
    assert main(["receipt", str(tmp_path / "plain"), *asked]) == 1
    assert main(["receipt", str(tmp_path / "witnessed"), "--policy", str(tmp_path / "policy"), *asked[:2]]) == 0
    capsys.readouterr()
    place = str(house.bed.directory / "audit.db")
    assert main(["log", place, "--checkpoint", str(tmp_path / "held.note"), *asked]) == 0
    assert json.loads(capsys.readouterr().out)["witnessed"]["size"] == 5


def test_log_without_witnesses_does_not_satisfy_whoever_asks_for_them(house: House) -> None:
    with open_audit(house.bed) as audit:
        audit.append(event())
        assert audit.client.get("/audit/checkpoint/witnessed").status_code == 404
        assert audit.get("/audit/entries/0/receipt", witnessed=True).status_code == 404
    place = str(house.bed.directory / "audit.db")
    assert main(["log", place, "--key", house.vkey.strip(), "--witness-key", house.keys[0]]) == 1


def test_a_witness_that_is_down_holds_up_nothing_and_catches_up(house: House) -> None:
    with house.log() as audit:
        assert [placed["index"] for placed in audit.append(event(), event())] == [0, 1]
        assert audit.client.get("/audit/checkpoint/witnessed").status_code == 404
        with house.witness():
            audit.append(event())
            _witnessed(audit, 3)


def test_fewer_than_a_quorum_are_not_enough(bed: TestBed) -> None:
    house = House(bed, 2)
    with house.witness(0), house.log("all") as audit:
        audit.append(event())
        _eventually(lambda: audit.bed.directory.exists() and "w0" in _lines(audit), "the first cosignature")
        assert audit.client.get("/audit/checkpoint/witnessed").status_code == 404
        with house.witness(1):
            audit.append(event())
            assert _witnessed(audit, 2).count("— auditor.example/") == 2


def _lines(audit: Audit) -> str:
    import sqlalchemy as sa

    with audit.app.state.audit.sessions() as session:
        return "".join(session.execute(sa.text("SELECT line FROM cosignature")).scalars())


def _copy(house: House, name: str) -> Path:
    return Path(shutil.copy(house.bed.directory / "audit.db", house.bed.directory / name))


def test_10_restored_backup_is_not_continued(house: House) -> None:
    with house.witness():
        with house.log() as audit:
            audit.append(event())
            _witnessed(audit, 1)
        backup = _copy(house, "backup.db")
        with house.log() as audit:
            audit.append(event(), event())
            _witnessed(audit, 3)
        shutil.copy(backup, house.bed.directory / "audit.db")
        with house.log() as audit:
            waiting = audit.client.get("/readyz")
            refused = audit.post("/internal/audit/events", {"events": [event()]}, Role.SERVICE)
            size = audit.client.get("/audit/checkpoint").text.split("\n")[1]
    assert (waiting.status_code, "rolled back" in waiting.json()["waitingFor"][0]) == (503, True)
    assert (refused.status_code, refused.json()["type"].endswith("log-damaged"), size) == (503, True, "1")


def test_16_rebuilt_log_is_not_continued_and_the_witness_keeps_the_evidence(house: House) -> None:
    with house.witness():
        with house.log() as audit:
            audit.append(*(event() for _ in range(4)))
            _witnessed(audit, 4)
        held = house.known()
        bed = house.bed
        left = Left(bed.sqlite("audit"), house.vkey, bed.directory / "log.key", held, -1, -1)
        rebuild(left, forge=2)
        with house.log() as audit:
            waiting = _eventually(lambda: audit.client.get("/readyz").json().get("waitingFor"), "the refusal")
        kept = httpx.get(
            f"http://127.0.0.1:{house.ports[0]}/evidence", params={"origin": ORIGIN}, trust_env=False
        ).json()["items"]
    assert "another tree of 4 entries" in waiting[0]
    assert len(kept) == 1
    (bed.directory / "held.note").write_text(held)
    arguments = ["log", left.place, "--key", house.vkey.strip()]
    assert main(arguments) == 0, "nothing in the database tells"
    assert main([*arguments, "--checkpoint", str(bed.directory / "held.note")]) == 1
    assert main([*arguments, "--checkpoint", str(bed.directory / "held.note"), "--witness-key", house.keys[0]]) == 1


def _over(audit: Audit) -> FastAPI:
    """The running service's own routes on a real socket."""
    front = FastAPI()
    front.mount("/", audit.app)
    return front


NONSENSE: dict[str, Callable[[str], Response]] = {
    "error": lambda _: Response("no", 500),
    "nothing": lambda _: Response("", 200),
    "another key's line": lambda note: Response(_stranger(note), 200),
    "a conflict without a size": lambda _: Response("3\n", 409),
    "a size that is none": lambda _: Response("+3\n", 409, media_type="text/x.tlog.size"),
    "another size each time": lambda _: Response("0\n", 409, headers={"content-type": "text/x.tlog.size"}),
}


def _stranger(note: str) -> str:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    return Ed25519Cosigner("auditor.example/w0", Ed25519PrivateKey.generate()).line(note, 1)


@pytest.fixture(params=NONSENSE)
def nonsense(request: pytest.FixtureRequest, house: House) -> Iterator[House]:
    """A house whose witness answers something else."""
    app = FastAPI()

    @app.post("/add-checkpoint")
    def add() -> Response:
        return NONSENSE[request.param]("text\n")

    with ExitStack() as stack:
        stack.enter_context(serve(app, house.ports[0]))
        yield house


def test_nonsense_of_a_witness_is_neither_kept_nor_obeyed(nonsense: House) -> None:
    with nonsense.log() as audit:
        audit.append(event())
        audit.app.state.audit.sequencer._published()
        assert audit.append(event())[0]["index"] == 1
        assert audit.client.get("/readyz").status_code == 200
        assert audit.client.get("/audit/checkpoint/witnessed").status_code == 404


@pytest.mark.parametrize("text", ["", "quorum nobody\n", "witness w x\nquorum w\n"])
def test_policy_that_cannot_be_read_stops_the_start(bed: TestBed, text: str) -> None:
    (bed.directory / "policy").write_text(text)
    with pytest.raises(ValueError, match="policy"), open_audit(bed, witness_policy_file=bed.directory / "policy"):
        pass
