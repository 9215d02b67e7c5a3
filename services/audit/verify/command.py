"""The command line of the checker.

    verify receipt FILE --key KEY [--entry FILE]
    verify export FILE --key KEY
    verify log PLACE --key KEY [--checkpoint NOTE …]
    verify diff EARLIER LATER --key KEY [--log PLACE] [--evidence FILE]

KEY is the log's public key line or a file with it; it may be given several times, and must come from elsewhere than
what is checked. With `--witness-key` and `--quorum`, or `--policy`, cosignatures are asked for as well.

Exit status: 0 good, 1 bad (says what is wrong), 2 could not check.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from .diff import compare, write_evidence
from .export import verify_export
from .faults import Bad, CannotCheck, Report, plain
from .log import verify_log
from .notes import Checkpoint, Key, open_checkpoint, read_file, read_keys, read_log_keys, read_note
from .parquet import verify_parquet
from .policy import NO_WITNESS, Policy, parse_policy, policy_of
from .receipt import verify
from .sheet import verify_sheet
from .sources import open_source

GOOD, BAD, CANNOT = 0, 1, 2


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; returns the exit status."""
    given = _parser().parse_args(arguments)
    try:
        report = given.run(given)
    except CannotCheck as error:
        print(json.dumps({"good": None, "reason": str(error)}) if given.json else f"cannot check: {plain(str(error))}",
              file=sys.stdout if given.json else sys.stderr)  # fmt: skip
        return CANNOT
    except Bad as error:
        report = Report()
        report.fault(None, str(error))
    print(json.dumps(report.as_json()) if given.json else _as_text(report))
    return GOOD if report.good else BAD


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="verify", description="Check the audit log without trusting it.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    receipt = _command(commands, "receipt", _receipt, "an entry's receipt")
    receipt.add_argument("receipt", help="the .tlog-proof file")
    receipt.add_argument("--entry", help="the entry, if the receipt does not hold it")
    receipt.add_argument("--origin", help="the log's name, if it is not the key's")
    export = _command(commands, "export", _export, "an export with proofs")
    export.add_argument("export", help="the .ndjson, .csv or .parquet file")
    log = _command(commands, "log", _log, "the whole log")
    log.add_argument("place", help="a SQLite file, a PostgreSQL URL, the address of /audit, or a directory of tiles")
    log.add_argument("--checkpoint", action="append", default=[], help="a checkpoint kept elsewhere; may be repeated")
    diff = _command(commands, "diff", _diff, "two checkpoints against each other")
    diff.add_argument("earlier", help="the checkpoint that was seen first")
    diff.add_argument("later", help="the checkpoint that was seen after it")
    diff.add_argument("--log", help="where the entries are, if the sizes differ; as for `verify log`")
    diff.add_argument("--evidence", default="fork-evidence.json", help="the file to write if the log has forked")
    return parser


def _command(commands: Any, name: str, run: Any, what: str) -> argparse.ArgumentParser:
    command: argparse.ArgumentParser = commands.add_parser(name, help=f"check {what}", description=f"Check {what}.")
    command.set_defaults(run=run)
    command.add_argument("--key", action="append", required=True, help="the log's public key line, or a file with it")
    command.add_argument("--witness-key", action="append", default=[], help="a witness's key line, or a file with it")
    command.add_argument("--quorum", type=int, help="how many of the witnesses must have cosigned [default: all]")
    command.add_argument("--policy", help="a tlog-policy file instead of witness keys and quorum")
    command.add_argument("--json", action="store_true", help="answer in JSON")
    return command


def _receipt(given: argparse.Namespace) -> Report:
    entry = read_file(given.entry) if given.entry else None
    keys, policy = read_log_keys(given.key), _policy(given)
    return verify(read_file(given.receipt), keys, entry, given.origin, policy).report()


def _export(given: argparse.Namespace) -> Report:
    keys, policy = read_log_keys(given.key), _policy(given)
    try:
        with Path(given.export).open("rb") as lines:
            begin = lines.read(6)
            lines.seek(0)
            if begin.startswith(b"PAR1"):
                return verify_parquet(Path(given.export), keys, policy)
            return (verify_sheet if begin == b"index," else verify_export)(lines, keys, policy)
    except OSError as error:
        raise CannotCheck(f"cannot read {given.export}: {error.strerror}") from error


def _log(given: argparse.Namespace) -> Report:
    keys, policy = read_log_keys(given.key), _policy(given)
    held = [_note(path, keys, policy) for path in given.checkpoint]
    with open_source(given.place) as source:
        return verify_log(source, keys, held, policy)


def _diff(given: argparse.Namespace) -> Report:
    keys, policy = read_log_keys(given.key), _policy(given)
    earlier, later = _note(given.earlier, keys, policy), _note(given.later, keys, policy)
    if given.log:
        with open_source(given.log) as source:
            report = compare(earlier, later, source)
    else:
        report = compare(earlier, later)
    if report is None:
        raise CannotCheck("the sizes differ: only the entries of the later tree can tell (--log)")
    if report.facts["verdict"] == "fork":
        write_evidence(Path(given.evidence), earlier, later, report)
        report.facts["evidence"] = given.evidence
    return report


def _note(path: str, keys: Sequence[Key], policy: Policy) -> Checkpoint:
    return open_checkpoint(read_note(path), keys, policy.keys)


def _policy(given: argparse.Namespace) -> Policy:
    if given.policy:
        return parse_policy(read_file(given.policy).decode("utf-8", "replace"))
    return policy_of(read_keys(given.witness_key), given.quorum) if given.witness_key else NO_WITNESS


def _as_text(report: Report) -> str:
    rows = [f"{name:<12} {plain(_words(value))}" for name, value in report.facts.items() if value not in ({}, [])]
    faults = [f"  {plain(str(fault))}" for fault in report.faults]
    head = "GOOD" if report.good else f"BAD: {plain(str(report.faults[0]))}"
    return "\n".join([head, *(faults if len(faults) > 1 else []), *rows])


def _words(value: Any) -> str:
    if isinstance(value, dict):
        return "; ".join(f"{name} {_words(inner)}" for name, inner in value.items() if inner not in ({}, []))
    if isinstance(value, list):
        return ", ".join(f"{each[0]} to {each[1]}" if isinstance(each, list) else str(each) for each in value)
    return str(value)
