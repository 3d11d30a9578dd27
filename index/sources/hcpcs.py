"""The HCPCS Level II alpha-numeric release (ANWEB) of CMS: fixed width, xlsx or csv."""

from __future__ import annotations

import csv
import io
import re
import zipfile
import zlib
from collections.abc import Iterable, Iterator
from contextlib import closing
from datetime import date
from pathlib import Path
from typing import NamedTuple

from index.records import Attribute, CodeKind, CodeSystem, Document, Release
from index.sources.reading import Complaints, Reading, SourceError, decode, lines, sha256

_NAME = re.compile(r"HCPC([0-9]{4})_([A-Z]{3}).*", re.IGNORECASE)
_QUARTERS = {"JAN": "01", "APR": "04", "JUL": "07", "OCT": "10"}
_CODE_SHAPE = re.compile(r"[A-Z][0-9]{4}|[A-Z0-9]{2}")

# A fixed-width line: three blanks before a modifier, a sequence number, what kind of record it is.
_LINE = re.compile(r"(?:[A-Z][0-9]{4}|   [A-Z0-9]{2})[0-9]{5}[3478]")

_XLSX_COLUMNS = ("HCPC", "RECID", "LONG DESCRIPTION", "SHORT DESCRIPTION", "ADD DT", "TERM DT")
# What reading a damaged workbook raises; a SyntaxError is how XML parsers complain.
_DAMAGED = (
    zipfile.BadZipFile,
    zlib.error,
    SyntaxError,
    KeyError,
    IndexError,
    ValueError,
    OSError,
    EOFError,
)
_CSV_COLUMNS = ("HCPCS_CODE", "SHORT_DESCRIPTION", "LONG_DESCRIPTION")


class _Field(NamedTuple):
    """A column that says something of a code: where it stands in both forms, and how often."""

    label: str
    start: int  # in a fixed-width line, from 0
    width: int
    names: tuple[str, ...]  # in the workbook, one for each occurrence


def _repeated(name: str, times: int) -> tuple[str, ...]:
    return tuple(f"{name}{number}" for number in range(1, times + 1))


FIELDS = (
    _Field("Pricing indicator", 119, 2, _repeated("PRICE", 4)),
    _Field("Multiple pricing indicator", 127, 1, ("MULT_PI",)),
    _Field("Coverage issues manual reference", 128, 6, _repeated("CIM", 3)),
    _Field("Medicare carriers manual reference", 146, 8, _repeated("MCM", 3)),
    _Field("Statute", 170, 10, ("STATUTE",)),
    _Field("Laboratory certification", 180, 3, _repeated("LABCERT", 8)),
    _Field("Cross reference", 204, 5, _repeated("XREF", 5)),
    _Field("Coverage", 229, 1, ("COV",)),
    _Field("ASC payment group", 230, 2, ("ASC_GRP",)),
    _Field("ASC payment group since", 232, 8, ("ASC_DT",)),
    _Field("Outpatient payment group", 240, 3, ("OPPS",)),
    _Field("Outpatient payment policy", 243, 1, ("OPPS_PI",)),
    _Field("Outpatient payment group since", 244, 8, ("OPPS_DT",)),
    _Field("Processing note", 252, 4, ("PROCNOTE",)),
    _Field("BETOS", 256, 3, ("BETOS",)),
    _Field("Type of service", 260, 1, _repeated("TOS", 5)),
    _Field("Anesthesia base units", 265, 3, ("ANEST_BU",)),
    _Field("Action effective", 276, 8, ("ACT EFF DT",)),
    _Field("Action", 292, 1, ("ACTION CD",)),
)


class _Row(NamedTuple):
    """One code as a file gives it, texts not yet trimmed, dates as YYYYMMDD or empty."""

    line: int
    code: str
    long: str
    short: str
    added: str = ""
    terminated: str = ""
    attributes: tuple[Attribute, ...] = ()


def recognise(path: Path, head: bytes) -> bool:
    """Returns whether the file is one of the three forms; `head` is how it begins."""
    if head.startswith(b"PK"):
        return path.suffix.lower() == ".xlsx" and bool(_NAME.fullmatch(path.name))
    text = head.decode("cp1252", "replace").removeprefix("ï»¿")
    return text.upper().startswith(_CSV_COLUMNS[0]) or bool(_LINE.match(text))


def read(path: Path, *, strict: bool) -> Reading:
    """Returns the documents of a release; codes of two characters are modifiers.

    Raises:
        SourceError: it is none of the three forms, is damaged, does not name its quarter, or (`strict`)
            has a bad row.
    """
    named = _NAME.fullmatch(path.name)
    month = _QUARTERS.get(named[2].upper()) if named else None
    if named is None or month is None:
        raise SourceError(f"{path}: its name tells no quarter: expected HCPCyyyy_JAN, _APR, _JUL or _OCT to begin it")
    complaints = Complaints(path.name, strict=strict)
    documents: dict[str, Document] = {}
    for row in _rows(path, complaints):
        code, title = row.code.strip(), " ".join(row.long.split())
        if complaint := _complaint(row, code, title, documents):
            complaints.add(row.line, complaint)
            continue
        documents[code] = Document(
            CodeSystem.HCPCS,
            code,
            title,
            CodeKind.MODIFIER if len(code) == 2 else CodeKind.PROCEDURE,
            row.short.strip(),
            effective=_date(row.added),
            terminated=_date(row.terminated),
            attributes=row.attributes,
        )
    if not documents:
        raise SourceError(f"{path}: holds no code")
    release = Release(CodeSystem.HCPCS, f"{named[1]}-{month}", path.name, sha256(path), len(documents))
    return Reading(release, tuple(documents.values()), tuple(complaints.problems))


def _rows(path: Path, complaints: Complaints) -> Iterator[_Row]:
    if path.suffix.lower() == ".xlsx":
        return _xlsx(path, complaints)
    text = decode(path.read_bytes(), path.name)
    return _csv(text, path) if text.upper().startswith(_CSV_COLUMNS[0]) else _fixed_width(text, complaints)


def _xlsx(path: Path, complaints: Complaints) -> Iterator[_Row]:
    """Yields a code's first record with the texts of its continuation records joined to it."""
    # Here, because the service imports this package too and a tenth of its start would go into a workbook reader.
    import openpyxl
    from openpyxl.utils.exceptions import InvalidFileException

    try:
        with closing(openpyxl.load_workbook(path, read_only=True)) as book:
            rows = list(book.worksheets[0].iter_rows(values_only=True))
    except (*_DAMAGED, InvalidFileException) as error:
        raise SourceError(f"{path}: is no xlsx workbook, or is damaged: {error}") from error
    header = [str(cell).strip() for cell in rows[0]] if rows else []
    if missing := [name for name in _XLSX_COLUMNS if name not in header]:
        raise SourceError(f"{path}:1: has no column {missing[0]!r}: expected the ANWEB workbook")
    columns = [header.index(name) for name in _XLSX_COLUMNS]
    fields = [(field.label, header.index(name)) for field in FIELDS for name in field.names if name in header]
    pending: _Row | None = None
    for line, row in enumerate(rows[1:], start=2):
        cells = ["" if cell is None else str(cell) for cell in (*row, *[None] * (len(header) - len(row)))]
        code, record, long, short, added, terminated = (cells[column] for column in columns)
        if record.strip() in ("4", "8"):
            if pending is None or pending.code != code:
                complaints.add(line, f"goes on with {code.strip()}, whose first record is not before it")
            else:
                pending = pending._replace(long=f"{pending.long} {long}")
            continue
        if pending is not None:
            yield pending
        attributes = _attributes((label, cells[column]) for label, column in fields)
        pending = _Row(line, code, long, short, added.strip(), terminated.strip(), attributes) if code.strip() else None
    if pending is not None:
        yield pending


def _csv(text: str, path: Path) -> Iterator[_Row]:
    reader = csv.reader(io.StringIO(text))
    header = [cell.strip().upper() for cell in next(reader)]
    if missing := [name for name in _CSV_COLUMNS if name not in header]:
        raise SourceError(f"{path}:1: has no column {missing[0]!r}: expected {', '.join(_CSV_COLUMNS)}")
    code, short, long = (header.index(name) for name in _CSV_COLUMNS)
    try:
        for cells in reader:
            if any(cells):
                padded = [*cells, *[""] * len(header)]
                yield _Row(reader.line_num, padded[code], padded[long], padded[short])
    except csv.Error as error:
        raise SourceError(f"{path}:{reader.line_num}: is no csv: {error}") from error


def _fixed_width(text: str, complaints: Complaints) -> Iterator[_Row]:
    """Yields a code's first record with the texts of its continuation records joined to it.

    Texts are cut between words, so lines are joined by a blank.
    """
    pending: _Row | None = None
    for number, line in lines(text):
        if not _LINE.match(line):
            complaints.add(
                number, f"got {line[:16]!r}, expected a code, a sequence number and a record id 3, 4, 7 or 8"
            )
            continue
        code, record, long = line[:5], line[10], line[11:91]
        if record in "48":
            if pending is None or pending.code != code:
                complaints.add(number, f"goes on with {code.strip()}, whose first record is not before it")
            else:
                pending = pending._replace(long=f"{pending.long} {long}")
            continue
        if pending is not None:
            yield pending
        attributes = _attributes(
            (field.label, line[field.start + position * field.width :][: field.width])
            for field in FIELDS
            for position in range(len(field.names))
        )
        pending = _Row(number, code, long, line[91:119], line[268:276].strip(), line[284:292].strip(), attributes)
    if pending is not None:
        yield pending


def _attributes(values: Iterable[tuple[str, str]]) -> tuple[Attribute, ...]:
    return tuple(Attribute(label, value.strip()) for label, value in values if value.strip())


def _complaint(row: _Row, code: str, title: str, documents: dict[str, Document]) -> str:
    """Returns what is wrong with a row, or nothing."""
    if not _CODE_SHAPE.fullmatch(code):
        return f"got code {code!r}, expected a letter and four digits, or two characters"
    if not title:
        return f"{code} has no long description"
    for text in (row.added, row.terminated):
        try:
            _date(text)
        except ValueError:
            return f"{code}: got date {text!r}, expected YYYYMMDD"
    if code in documents:
        return f"{code} stands twice: its first row is kept"
    return ""


def _date(text: str) -> date | None:
    return date(int(text[:4]), int(text[4:6]), int(text[6:8])) if text else None
