"""Reads samples that come in columns: Arrow record batches, from a stream or from Parquet.

Columns are named as the members of a line. What is beyond doubt is taken a slice at a time; a slice with anything else
in it is read row by row through the checks of a line, in the same words (ADR 0123). `pyarrow` is an extra: it is
imported when columns come.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from itertools import repeat
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from services.vitals.checks import LineRefused, Rule, check_device, check_patient, check_times, rule_for, zone_minutes
from services.vitals.domain import Sample
from services.vitals.errors import ArrowMissing, NotColumns
from services.vitals.lines import FIELDS, REQUIRED, check_sample, printable
from shared.errors import FieldProblem
from shared.intake import CLOCK_SKEW, EARLIEST

if TYPE_CHECKING:
    from pyarrow import Array, DataType, RecordBatch, Schema

SLICE = 4096
"""Rows that are looked at together."""
TEXTS = ("patient", "code", "unit", "device")
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECONDS = {"s": 10**6, "ms": 10**3, "us": 1}
_UTC_NAMES = frozenset({"UTC", "Etc/UTC", "GMT", "Z", "+00:00", "-00:00"})

Row = Sample | FieldProblem


def arrow() -> Any:
    """The library. Raises: ArrowMissing."""
    try:
        import pyarrow
    except ImportError as error:
        raise ArrowMissing from error
    return pyarrow


def check_schema(schema: Schema, *, without: Collection[str] = ()) -> None:
    """Whether columns have the names and types of a sample's members, but for some. Raises: NotColumns."""
    for name in schema.names:
        if name not in FIELDS:
            raise NotColumns(printable(name), "is not a field of a sample", "leave this column out")
        if schema.names.count(name) > 1:
            raise NotColumns(name, "comes twice", "send each column once")
    for name in REQUIRED:
        if name not in schema.names and name not in without:
            raise NotColumns(name, "is missing", "send this column")
    for field in schema:
        _check_type(field.name, field.type)


def _check_type(name: str, kind: DataType) -> None:
    types = arrow().types
    if name == "value":
        if not (types.is_integer(kind) or types.is_floating(kind)):
            raise NotColumns(name, "is no column of numbers", "send float64, or another float or integer")
    elif name not in TEXTS and types.is_timestamp(kind):
        if kind.tz is None:
            raise NotColumns(name, "is a timestamp without a zone", "send timestamp[us, UTC], or RFC 3339 texts")
        _zone(name, kind.tz)
    elif not _is_text(kind.value_type if types.is_dictionary(kind) else kind):
        wanted = "strings, or dictionary-encoded ones" + ("" if name in TEXTS else ", or timestamps with a zone")
        raise NotColumns(name, "is a column of another type", f"send {wanted}")


def _is_text(kind: DataType) -> bool:
    types = arrow().types
    return bool(types.is_string(kind) or types.is_large_string(kind))


def _zone(name: str, text: str) -> tzinfo:
    """The zone of a column of timestamps: a name, or an offset. Raises: NotColumns."""
    if text in _UTC_NAMES:
        return UTC
    try:
        if text[:1] in ("+", "-"):
            minutes = zone_minutes(text[-6:]) or 0
            return timezone(timedelta(minutes=minutes))
        return ZoneInfo(text)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise NotColumns(name, "has a zone that is not known", "send an IANA name or an offset") from error


class ColumnReader:
    """Reads the slices of one body or file. It remembers which codes and units passed their checks."""

    def __init__(self, now: datetime) -> None:
        self._now, self._rules = now, dict[tuple[str, str], Rule]()
        self._reach = _micros(EARLIEST), _micros(now + CLOCK_SKEW)

    def read(self, rows: RecordBatch) -> Sequence[Row]:
        """A sample for each row, or why it is none; rows have a schema that was checked, and valid content."""
        if not any(rows.column(name).null_count for name in REQUIRED) and not _has(rows, "sent"):
            try:
                return self._together(rows)
            except LineRefused:
                pass
        return [self._alone(document) for document in _documents(rows)]

    def _alone(self, document: dict[str, Any]) -> Row:
        try:
            return check_sample(document, self._now)
        except LineRefused as refused:
            return refused.problem

    def _together(self, rows: RecordBatch) -> list[Sample]:
        """Raises: LineRefused: at least one row asks for a look of its own."""
        patients = _checked(rows.column("patient"), check_patient)
        devices = _checked(rows.column("device"), check_device) if _has(rows, "device") else repeat("")
        pairs = zip(_checked(rows.column("code"), str), _checked(rows.column("unit"), str), strict=True)
        known = self._rules
        rules = [known.get(pair) or self._rule(pair) for pair in pairs]
        sent = [float(value) for value in rows.column("value").to_pylist()]
        values = [rule.canonical(value) for rule, value in zip(rules, sent, strict=True)]
        moments, zones = self._times(rows.column("effective"))
        codes, units = [rule.code for rule in rules], [rule.unit for rule in rules]
        as_sent = [rule.sent_code for rule in rules], sent, [rule.sent_unit for rule in rules]
        none = repeat(None)
        members = zip(patients, codes, values, units, moments, devices, *as_sent, zones, none, none, strict=False)
        return list(map(tuple.__new__, repeat(Sample), members))

    def _rule(self, pair: tuple[str, str]) -> Rule:
        rule = self._rules[pair] = rule_for(*pair)
        return rule

    def _times(self, column: Array) -> tuple[list[datetime], list[int | None]]:
        """Times of measurement, and by how much their zones are ahead of UTC. Raises: LineRefused."""
        if not arrow().types.is_timestamp(column.type):
            texts = _checked(column, str)
            known = {text: (check_times(text, None, self._now)[0], zone_minutes(text[-6:])) for text in set(texts)}
            return [known[text][0] for text in texts], [known[text][1] for text in texts]
        micros, zone = _micros_of(column), _zone("effective", column.type.tz)
        earliest, latest = self._reach
        if not earliest <= min(micros) <= max(micros) <= latest:
            raise LineRefused("effective", "lies out of reach", "")
        times = {each: _EPOCH + timedelta(microseconds=each) for each in set(micros)}
        moments = [times[each] for each in micros]
        return moments, [None] * len(moments) if zone is UTC else [_minutes(moment, zone) for moment in moments]


def _has(rows: RecordBatch, name: str) -> bool:
    return name in rows.schema.names and rows.column(name).null_count < len(rows)


def _checked(column: Array, check: Callable[[str], str]) -> list[str]:
    """A column's texts, each different one checked once. Raises: LineRefused."""
    encoded = column if arrow().types.is_dictionary(column.type) else column.dictionary_encode()
    names: dict[int | None, str] = {None: ""}
    for place in encoded.indices.unique().drop_null().to_pylist():
        text = encoded.dictionary[place].as_py()
        if text is None:  # a dictionary that holds null
            raise LineRefused("line", "names nothing", "")
        names[place] = check(text)
    return [names[place] for place in encoded.indices.to_pylist()]


def _micros_of(column: Array) -> list[Any]:
    """A column of timestamps in whole microseconds since 1970."""
    counts = column.cast(arrow().int64()).to_pylist()
    if column.type.unit == "ns":
        return [count if count is None else count // 1000 for count in counts]
    scale = _MICROSECONDS[column.type.unit]
    return counts if scale == 1 else [count if count is None else count * scale for count in counts]


def _micros(moment: datetime) -> int:
    return (moment - _EPOCH) // timedelta(microseconds=1)


def _minutes(moment: datetime, zone: tzinfo) -> int | None:
    offset = moment.astimezone(zone).utcoffset()
    return None if offset is None else offset // timedelta(minutes=1)


def _documents(rows: RecordBatch) -> Iterator[dict[str, Any]]:
    """Rows as the members of lines."""
    columns = {name: _plain(rows.column(name)) for name in rows.schema.names}
    for members in zip(*columns.values(), strict=True):
        yield dict(zip(columns, members, strict=True))


def _plain(column: Array) -> list[Any]:
    types = arrow().types
    if types.is_timestamp(column.type):
        zone = _zone("effective", column.type.tz)
        return [None if count is None else _spelled(count, zone) for count in _micros_of(column)]
    if types.is_floating(column.type):
        # What tables call missing.
        return [None if value != value else value for value in column.to_pylist()]
    values: list[Any] = column.to_pylist()
    return values


def _spelled(micros: int, zone: tzinfo) -> str:
    try:
        text = (_EPOCH + timedelta(microseconds=micros)).astimezone(zone).isoformat()
    except OverflowError:
        return "beyond the calendar"
    return text.replace("+00:00", "Z") if zone is UTC else text
