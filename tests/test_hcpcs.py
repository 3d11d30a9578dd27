"""The HCPCS Level II files: the release in its three forms, record layout and processing notes."""

from __future__ import annotations

import csv
import zipfile
from collections.abc import Sequence
from datetime import date
from pathlib import Path

import openpyxl
import pytest
from conftest import HCPCS_CSV, fixed_width

from index.records import Attribute, CodeKind, CodeSystem, Document
from index.sources import Reading, SourceError, hcpcs, hcpcs_layout
from index.sources.hcpcs_layout import Meanings

# The columns of CMS's workbook, in its order.
HEADER = (
    "HCPC SEQNUM RECID LONG-DESCRIPTION SHORT-DESCRIPTION PRICE1 PRICE2 PRICE3 PRICE4 MULT_PI CIM1 CIM2 CIM3"
    " MCM1 MCM2 MCM3 STATUTE LABCERT1 LABCERT2 LABCERT3 LABCERT4 LABCERT5 LABCERT6 LABCERT7 LABCERT8"
    " XREF1 XREF2 XREF3 XREF4 XREF5 COV ASC_GRP ASC_DT OPPS OPPS_PI OPPS_DT PROCNOTE BETOS TOS1 TOS2 TOS3 TOS4 TOS5"
    " ANEST_BU ADD-DT ACT-EFF-DT TERM-DT ACTION-CD"
)
COLUMNS = [name.replace("-", " ") for name in HEADER.split()]

LAYOUT = """
  CMS RIF REPORT
       NAME                   LENGTH   BEG  END                                         CONTENTS
  ***  HCPCS Contractor Record - 2025
                               320      1    320    REC

   9.  HCPCS Pricing Indicator Code
                                 2    120    121    CHAR

                                                    CODES         :
                                                       00 = Not priced by itself
                                                       31 = Priced by a list that is told in
                                                            two lines

                                                    Items with a heading between them
                                                       51 = Drugs

  16.  HCPCS Coverage Code
                                 1    230    230    CHAR
\t\t\t\t\t\t       D = Special instructions

  17.  HCPCS Filler                                  CHAR
                                                       X = No field that is told

 BETOS_TB                                                   BETOS Table

   D1E = Other equipment
   01L = Immunization

 CMS_TYPE_SRVC_TB                                    CMS Type of Service Table

  P = Lump sum purchase
"""

NOTES = """                                        PROCESSING NOTES
 ______________________________________________________________

          0001--THIS NOTE WAS DELETED.                            *
                                                                  *
          0009--A NOTE THAT GOES ON IN                            *
                A SECOND LINE.                                    *
"""


def _read(folder: Path, text: str, name: str = "HCPC2026_JAN_ANWEB.txt", *, strict: bool = False) -> Reading:
    path = folder / name
    path.write_bytes(text.encode())
    return hcpcs.read(path, strict=strict)


def _workbook(folder: Path, *rows: dict[str, str | int], name: str = "HCPC2026_JAN_ANWEB.xlsx") -> Path:
    """Returns the path of a workbook with the real columns; cells that a row does not name are empty."""
    return _sheet(folder / name, [COLUMNS, *([row.get(column, "") for column in COLUMNS] for row in rows)])


def _sheet(path: Path, rows: Sequence[Sequence[str | int]]) -> Path:
    workbook = openpyxl.Workbook()
    sheet = workbook.worksheets[0]
    for row in rows:
        sheet.append(list(row))
    workbook.save(path)
    return path


def _facts(folder: Path, name: str, text: str) -> dict[str, dict[str, str]]:
    path = folder / name
    path.write_bytes(text.encode())
    assert hcpcs_layout.recognise(path, text.encode()[:4096])
    facts = hcpcs_layout.read(path, strict=True).facts
    assert isinstance(facts, Meanings)
    return facts.meanings


def test_fixed_width_joins_records_and_reads_dates_and_attributes(tmp_path: Path) -> None:
    """Continuation records go on with the text, and each column stands for what the layout says."""
    text = (
        fixed_width("LT", "7", "Left side", c92="Left side", c230="C", c269="20020701")
        + fixed_width(
            "E0601",
            "3",
            "Continuous positive airway",
            c92="Cont airway pressure device",
            c120="3200",
            c128="A",
            c230="D",
            c257="D1E",
            c261="RP",
            c269="19930101",
            c277="20250101",
            c285="20261231",
            c293="C",
        )
        + fixed_width("E0601", "4", "pressure (cpap)")
        + fixed_width("E0601", "4", "device")
    )
    reading = _read(tmp_path, text, strict=True)
    assert reading.documents == (
        Document(
            CodeSystem.HCPCS,
            "LT",
            "Left side",
            CodeKind.MODIFIER,
            "Left side",
            effective=date(2002, 7, 1),
            attributes=(Attribute("Coverage", "C"),),
        ),
        Document(
            CodeSystem.HCPCS,
            "E0601",
            "Continuous positive airway pressure (cpap) device",
            CodeKind.PROCEDURE,
            "Cont airway pressure device",
            effective=date(1993, 1, 1),
            terminated=date(2026, 12, 31),
            attributes=(
                Attribute("Pricing indicator", "32"),
                Attribute("Pricing indicator", "00"),
                Attribute("Multiple pricing indicator", "A"),
                Attribute("Coverage", "D"),
                Attribute("BETOS", "D1E"),
                Attribute("Type of service", "R"),
                Attribute("Type of service", "P"),
                Attribute("Action effective", "20250101"),
                Attribute("Action", "C"),
            ),
        ),
    )
    release = reading.release
    assert (release.system, release.version, release.documents) == (CodeSystem.HCPCS, "2026-01", 2)


def test_the_workbook_gives_what_fixed_width_gives(tmp_path: Path) -> None:
    """One code with the same values reads the same from both forms, numbers in cells too."""
    path = _workbook(
        tmp_path,
        {"HCPC": "   LT", "SEQNUM": "0010", "RECID": "7", "LONG DESCRIPTION": "Left side", "ADD DT": "20020701"},
        {
            "HCPC": "E0601",
            "SEQNUM": "0010",
            "RECID": 3,
            "LONG DESCRIPTION": "Airway pressure",
            "SHORT DESCRIPTION": "Cpap",
            "PRICE1": "32",
            "PRICE2": "00",
            "TOS1": 0,
            "ADD DT": 19930101,
            "TERM DT": "20261231",
            "ACTION CD": "N",
        },
        {"HCPC": "E0601", "SEQNUM": "0020", "RECID": "4", "LONG DESCRIPTION": "device"},
    )
    text = (
        fixed_width("LT", "7", "Left side", c269="20020701")
        + fixed_width(
            "E0601",
            "3",
            "Airway pressure",
            c92="Cpap",
            c120="3200",
            c261="0",
            c269="19930101",
            c285="20261231",
            c293="N",
        )
        + fixed_width("E0601", "4", "device")
    )
    assert hcpcs.recognise(path, path.read_bytes()[:4096])
    documents = hcpcs.read(path, strict=True).documents
    assert documents == _read(tmp_path, text, strict=True).documents
    assert [(document.code, document.title) for document in documents] == [
        ("LT", "Left side"),
        ("E0601", "Airway pressure device"),
    ]
    assert documents[1].attributes == (
        Attribute("Pricing indicator", "32"),
        Attribute("Pricing indicator", "00"),
        Attribute("Type of service", "0"),
        Attribute("Action", "N"),
    )


def test_rows_of_a_workbook_that_end_early_are_read(tmp_path: Path) -> None:
    """A workbook without dimensions gives rows of different lengths: what is not there is empty."""
    workbook = openpyxl.Workbook(write_only=True)
    sheet = workbook.create_sheet()
    sheet.append(COLUMNS)
    sheet.append(["E0601", "0010", "3", "Airway pressure device"])
    path = tmp_path / "HCPC2026_JAN.xlsx"
    workbook.save(path)
    (document,) = hcpcs.read(path, strict=True).documents
    assert document == Document(CodeSystem.HCPCS, "E0601", "Airway pressure device")


def test_csv_keeps_commas_inside_quotes(tmp_path: Path) -> None:
    """A quoted description keeps its commas and quotes, and columns may come in any order."""
    text = (
        "\ufeffHCPCS_CODE,LONG_DESCRIPTION,SHORT_DESCRIPTION\r\n"
        'A0021,"Ambulance, outside the state, ""per mile""",Ambulance\r\n\r\n'
        "LT,Left side\r\n"
    )
    documents = _read(tmp_path, text, "HCPC2026_APR_codes.csv", strict=True).documents
    assert documents == (
        Document(
            CodeSystem.HCPCS, "A0021", 'Ambulance, outside the state, "per mile"', CodeKind.PROCEDURE, "Ambulance"
        ),
        Document(CodeSystem.HCPCS, "LT", "Left side", CodeKind.MODIFIER),
    )


def test_csv_tells_modifiers_from_procedures(tmp_path: Path) -> None:
    """Codes of two characters are modifiers."""
    documents = _read(tmp_path, HCPCS_CSV, "HCPC2026_JAN_codes.csv", strict=True).documents
    assert [(document.code, document.kind) for document in documents] == [
        ("E0601", CodeKind.PROCEDURE),
        ("G0105", CodeKind.PROCEDURE),
        ("LT", CodeKind.MODIFIER),
    ]


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        (
            "no such line\r\n",
            "got 'no such line', expected a code, a sequence number and a record id 3, 4, 7 or 8",
        ),
        (
            fixed_width("E0601", "5", "Cpap"),
            "got 'E0601001005Cpap ', expected a code, a sequence number and a record id 3, 4, 7 or 8",
        ),
        (fixed_width("E0602", "4", "pump"), "goes on with E0602, whose first record is not before it"),
        (fixed_width("E0602", "3", " "), "E0602 has no long description"),
        (fixed_width("E0602", "3", "Pump", c269="20261301"), "E0602: got date '20261301', expected YYYYMMDD"),
        (fixed_width("E0602", "3", "Pump", c285="soon"), "E0602: got date 'soon', expected YYYYMMDD"),
        (fixed_width("E0601", "3", "Again"), "E0601 stands twice: its first row is kept"),
    ],
)
def test_a_bad_line_is_skipped_with_file_and_line(tmp_path: Path, line: str, complaint: str) -> None:
    """Each fault of a line is named, the code left out, and the lines around it are kept; strict stops at it."""
    text = fixed_width("E0601", "3", "Airway pressure device") + line + fixed_width("E0603", "3", "Breast pump")
    reading = _read(tmp_path, text)
    assert [(document.code, document.title) for document in reading.documents] == [
        ("E0601", "Airway pressure device"),
        ("E0603", "Breast pump"),
    ]
    assert [str(problem) for problem in reading.problems] == [f"HCPC2026_JAN_ANWEB.txt:2: {complaint}"]
    with pytest.raises(SourceError) as caught:
        _read(tmp_path, text, strict=True)
    assert str(caught.value) == f"HCPC2026_JAN_ANWEB.txt:2: {complaint}"


def test_a_bad_row_of_csv_or_workbook_is_skipped_with_its_line(tmp_path: Path) -> None:
    """The other two forms complain in the same words, a continuation without its first record too."""
    text = "HCPCS_CODE,SHORT_DESCRIPTION,LONG_DESCRIPTION\nE601,Short,A code too short\nE0601,Cpap,Cpap device\n"
    reading = _read(tmp_path, text, "HCPC2026_JAN.csv")
    assert [document.code for document in reading.documents] == ["E0601"]
    assert [str(problem) for problem in reading.problems] == [
        "HCPC2026_JAN.csv:2: got code 'E601', expected a letter and four digits, or two characters"
    ]
    path = _workbook(
        tmp_path,
        {"HCPC": "E0600", "RECID": "4", "LONG DESCRIPTION": "goes on first"},
        {"HCPC": "E0601", "RECID": "3", "LONG DESCRIPTION": "Cpap device", "ADD DT": "2026"},
        {"HCPC": "E0602", "RECID": "3", "LONG DESCRIPTION": "Breast pump"},
        {"HCPC": "E0603", "RECID": "4", "LONG DESCRIPTION": "electric"},
    )
    reading = hcpcs.read(path, strict=False)
    assert [(document.code, document.title) for document in reading.documents] == [("E0602", "Breast pump")]
    assert [str(problem) for problem in reading.problems] == [
        "HCPC2026_JAN_ANWEB.xlsx:2: goes on with E0600, whose first record is not before it",
        "HCPC2026_JAN_ANWEB.xlsx:3: E0601: got date '2026', expected YYYYMMDD",
        "HCPC2026_JAN_ANWEB.xlsx:5: goes on with E0603, whose first record is not before it",
    ]


@pytest.mark.parametrize("name", ["codes.txt", "HCPC2026_FEB_ANWEB.txt", "HCPC26_JAN.txt"])
def test_a_name_without_quarter_is_refused(tmp_path: Path, name: str) -> None:
    """A release whose name tells no quarter in which CMS publishes is an error."""
    with pytest.raises(SourceError, match="its name tells no quarter: expected HCPCyyyy_JAN, _APR, _JUL or _OCT"):
        _read(tmp_path, fixed_width("E0601", "3", "Cpap"), name)


def test_a_release_without_codes_is_refused(tmp_path: Path) -> None:
    """A csv that has only its header holds no code."""
    with pytest.raises(SourceError, match=r"HCPC2026_JAN\.csv: holds no code"):
        _read(tmp_path, "HCPCS_CODE,SHORT_DESCRIPTION,LONG_DESCRIPTION\n", "HCPC2026_JAN.csv")


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    """The message names the column that is missing from csv or workbook."""
    with pytest.raises(SourceError, match=r"HCPC2026_JAN\.csv:1: has no column 'LONG_DESCRIPTION'"):
        _read(tmp_path, "HCPCS_CODE,SHORT_DESCRIPTION\nE0601,Cpap\n", "HCPC2026_JAN.csv")
    path = _sheet(tmp_path / "HCPC2026_JAN.xlsx", [["HCPC", "RECID"], ["E0601", "3"]])
    with pytest.raises(SourceError, match=r"HCPC2026_JAN\.xlsx:1: has no column 'LONG DESCRIPTION'"):
        hcpcs.read(path, strict=False)


def test_a_csv_that_does_not_end_its_quotes_is_refused(tmp_path: Path) -> None:
    """A field that grows past what csv allows is an error with its line, no crash."""
    text = 'HCPCS_CODE,SHORT_DESCRIPTION,LONG_DESCRIPTION\nE0601,Cpap,"' + "Cpap device " * 100
    limit = csv.field_size_limit(1000)
    try:
        with pytest.raises(SourceError, match=r"HCPC2026_JAN\.csv:2: is no csv: field larger than field limit"):
            _read(tmp_path, text, "HCPC2026_JAN.csv")
    finally:
        csv.field_size_limit(limit)


def test_a_truncated_workbook_is_refused(tmp_path: Path) -> None:
    """A workbook that lost its end is damaged."""
    path = _workbook(tmp_path, {"HCPC": "E0601", "RECID": "3", "LONG DESCRIPTION": "Cpap"})
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(SourceError, match="is no xlsx workbook, or is damaged"):
        hcpcs.read(path, strict=False)


@pytest.mark.parametrize("part", ["xl/worksheets/sheet1.xml", "xl/workbook.xml"])
def test_a_workbook_with_a_part_cut_off_is_refused(tmp_path: Path, part: str) -> None:
    """A workbook whose zip is whole, but not the XML inside it, is damaged."""
    whole = _workbook(tmp_path, {"HCPC": "E0601", "RECID": "3", "LONG DESCRIPTION": "Cpap"})
    path = tmp_path / "HCPC2026_APR.xlsx"
    with zipfile.ZipFile(whole) as old, zipfile.ZipFile(path, "w") as new:
        for member in old.namelist():
            new.writestr(member, old.read(member)[:200] if member == part else old.read(member))
    with pytest.raises(SourceError, match="is no xlsx workbook, or is damaged"):
        hcpcs.read(path, strict=False)


def test_a_workbook_with_damaged_bytes_is_refused(tmp_path: Path) -> None:
    """A workbook whose packed bytes were changed is damaged."""
    path = _workbook(tmp_path, {"HCPC": "E0601", "RECID": "3", "LONG DESCRIPTION": "Cpap"})
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        sheet = archive.getinfo("xl/worksheets/sheet1.xml")
    # The packed bytes begin behind 30 bytes of local header and the name.
    content[sheet.header_offset + 30 + len(sheet.filename) + 10] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(SourceError, match="is no xlsx workbook, or is damaged"):
        hcpcs.read(path, strict=False)


def test_the_record_layout_tells_what_values_mean(tmp_path: Path) -> None:
    """Values of the fields that are told get their meanings, lines that go on joined; other fields give none."""
    meanings = _facts(tmp_path, "HCPC2025_recordlayout.txt", LAYOUT)
    assert {label: values for label, values in meanings.items() if values} == {
        "Pricing indicator": {
            "00": "Not priced by itself",
            "31": "Priced by a list that is told in two lines",
            "51": "Drugs",
        },
        "Coverage": {"D": "Special instructions"},
        "BETOS": {"D1E": "Other equipment", "O1L": "Immunization"},
        "Type of service": {"P": "Lump sum purchase"},
    }


def test_processing_notes_are_told_by_their_numbers(tmp_path: Path) -> None:
    """Each note is one text, without the asterisks that end its lines."""
    assert _facts(tmp_path, "proc_notes_JAN2025.txt", NOTES) == {
        "Processing note": {"0001": "THIS NOTE WAS DELETED.", "0009": "A NOTE THAT GOES ON IN A SECOND LINE."}
    }


@pytest.mark.parametrize(
    ("name", "text", "complaint"),
    [
        ("recordlayout.txt", LAYOUT, "its name tells no year: expected one such as HCPC2025_recordlayout.txt"),
        ("notes2025.txt", NOTES[:120], "holds no value with a meaning"),
    ],
)
def test_a_layout_without_year_or_meanings_is_refused(tmp_path: Path, name: str, text: str, complaint: str) -> None:
    """A layout must say of which year it is, and tell something."""
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    with pytest.raises(SourceError) as caught:
        hcpcs_layout.read(path, strict=False)
    assert str(caught.value) == f"{path}: {complaint}"
