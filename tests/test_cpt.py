"""The CPT files that the AMA licenses, in the layout that is described for them, with texts of our own."""

from __future__ import annotations

from pathlib import Path

import pytest

from index.compose import compose
from index.merge import merge, releases_of
from index.records import CodeSystem, Document, Synonym
from index.sources import SourceError, cpt, find, read
from index.sources.cpt import Descriptor, Descriptors

# As the AMA's files begin: some lines of notice, none of which looks like a row.
NOTICE = (
    "Sample descriptors for tests, made up by this project.",
    "Copyright 1995-2025, nobody. For the year 2026.",
    "All rights reserved to no one.",
)
PREAMBLE = "\r\n".join([NOTICE[0], "", *NOTICE[1:], "", ""])

LONG = "10001\tDrainage of a pond, by hand\r\n10002\tDrainage of a pond, by  pump\r\n0001T\tRefilling of a pond\r\n"
MEDIUM = "10001 DRAINAGE POND HAND\r\n10002 DRAINAGE POND PUMP\r\n0001T REFILLING POND\r\n"
SHORT = "10001 DRAIN POND HAND\r\n10002 DRAIN POND PUMP\r\n"
CONSUMER = "1000001 10001 Emptying a pond with buckets\r\n1000002 10002 Emptying a pond with a pump\r\n"
CLINICIAN = (
    "Concept Id\tCPT Code\tClinician Descriptor Id\tClinician Descriptor\r\n"
    "1000001\t10001\t5001\tPond drainage, manual\r\n"
    "1000001\t10001\t5002\tManual emptying of pond\r\n"
)
FILES = {
    "LONGULT.txt": LONG,
    "MEDU.txt": MEDIUM,
    "SHORTU.txt": SHORT,
    "Consumer Friendly Descriptors/ConsumerDescriptor.txt": CONSUMER,
    "Clinician Descriptors/ClinicianDescriptor.txt": CLINICIAN,
}


def _write(folder: Path, files: dict[str, str], preamble: str = PREAMBLE) -> Path:
    for name, rows in files.items():
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes((preamble + rows).encode())
    return folder


def _facts(path: Path) -> Descriptors:
    facts = cpt.read(path, strict=True).facts
    assert isinstance(facts, Descriptors)
    return facts


def test_a_licensed_folder_gives_codes_with_all_five_descriptors(tmp_path: Path) -> None:
    """The long descriptor is the title, the short one the short title, and the others are synonyms."""
    files, passed = find([_write(tmp_path / "CPT", FILES)])
    readings = [read(path, strict=True) for path in files]
    documents, _, problems = merge(readings)
    assert (len(files), passed, problems) == (5, [], [])
    assert documents == [
        Document(
            CodeSystem.CPT,
            "0001T",
            "Refilling of a pond",
            synonyms=(Synonym("REFILLING POND", "AMA medium descriptor"),),
        ),
        Document(
            CodeSystem.CPT,
            "10001",
            "Drainage of a pond, by hand",
            short_title="DRAIN POND HAND",
            synonyms=(
                Synonym("DRAINAGE POND HAND", "AMA medium descriptor"),
                Synonym("Emptying a pond with buckets", "AMA consumer descriptor"),
                Synonym("Pond drainage, manual", "AMA clinician descriptor"),
                Synonym("Manual emptying of pond", "AMA clinician descriptor"),
            ),
        ),
        Document(
            CodeSystem.CPT,
            "10002",
            "Drainage of a pond, by pump",
            short_title="DRAIN POND PUMP",
            synonyms=(
                Synonym("DRAINAGE POND PUMP", "AMA medium descriptor"),
                Synonym("Emptying a pond with a pump", "AMA consumer descriptor"),
            ),
        ),
    ]


def test_every_file_keeps_the_notice_that_it_begins_with(tmp_path: Path) -> None:
    """The preamble's lines are the release's notice; the row of column names is no part of it."""
    files, _ = find([_write(tmp_path / "CPT", FILES)])
    releases = releases_of(read(path, strict=True) for path in files)
    assert len(releases) == 5
    assert {release.notice for release in releases} == {"\n".join(NOTICE)}
    assert {(release.system, release.version) for release in releases} == {("cpt", "2026")}


def test_the_year_is_the_latest_that_the_preamble_names(tmp_path: Path) -> None:
    """A preamble of 1995, 2025 and 2026 is of 2026, whatever the folder is called."""
    _write(tmp_path / "CPT 2030", {"LONGULT.txt": LONG})
    assert cpt.read(tmp_path / "CPT 2030" / "LONGULT.txt", strict=True).release.version == "2026"


def test_the_year_is_the_folders_where_the_preamble_names_none(tmp_path: Path) -> None:
    """Without a year in the preamble, that of one of the three folders above the file is taken."""
    path = tmp_path / "CPT2024" / "Clinician Descriptors"
    _write(path, {"ClinicianDescriptor.txt": CLINICIAN}, preamble="A notice.\r\n")
    assert cpt.read(path / "ClinicianDescriptor.txt", strict=True).release.version == "2024"


def test_a_file_without_any_year_is_refused(tmp_path: Path) -> None:
    """Neither preamble nor folder names a year: that is an error."""
    path = tmp_path / "a" / "b" / "c"
    _write(path, {"SHORTU.txt": SHORT}, preamble="")
    with pytest.raises(SourceError, match="neither its preamble nor its folder names a year"):
        cpt.read(path / "SHORTU.txt", strict=False)


def test_a_clinician_file_keeps_all_rows_of_a_code(tmp_path: Path) -> None:
    """Several descriptors of one code are kept in their order, and are facts, no documents."""
    _write(tmp_path, {"ClinicianDescriptor.txt": CLINICIAN})
    facts = _facts(tmp_path / "ClinicianDescriptor.txt")
    assert facts == Descriptors(
        "ClinicianDescriptor.txt",
        Descriptor.CLINICIAN,
        "2026",
        {"10001": ["Pond drainage, manual", "Manual emptying of pond"]},
    )
    assert cpt.read(tmp_path / "ClinicianDescriptor.txt", strict=True).documents == ()


def test_codes_without_a_long_descriptor_are_reported(tmp_path: Path) -> None:
    """Codes that LONGULT.txt lacks are left out, each file saying how many it names."""
    _write(tmp_path, {"LONGULT.txt": LONG.splitlines(keepends=True)[0], "MEDU.txt": MEDIUM, "SHORTU.txt": SHORT})
    readings = [cpt.read(tmp_path / name, strict=True) for name in ("LONGULT.txt", "MEDU.txt", "SHORTU.txt")]
    documents, problems = compose(readings[0].documents, [reading.facts for reading in readings[1:]])
    assert [document.code for document in documents] == ["10001"]
    assert [str(problem) for problem in problems] == [
        "MEDU.txt: 2 codes have no long descriptor (LONGULT.txt): left out",
        "SHORTU.txt: 1 codes have no long descriptor (LONGULT.txt): left out",
    ]


def test_the_newest_of_several_years_is_used(tmp_path: Path) -> None:
    """Medium descriptors of two years: those of the later one are taken, in whatever order they come."""
    facts = []
    for year, text in (("2026", "10001 NEW\r\n"), ("2025", "10001 OLD\r\n")):
        _write(tmp_path / year, {"MEDU.txt": text}, preamble=f"Of {year}.\r\n")
        facts.append(_facts(tmp_path / year / "MEDU.txt"))
    (document,), problems = compose([Document(CodeSystem.CPT, "10001", "Drainage")], facts)
    assert (document.synonyms, problems) == ((Synonym("NEW", "AMA medium descriptor"),), [])


def test_a_bad_row_is_skipped_with_its_line(tmp_path: Path) -> None:
    """A line behind the first row that is no row is left out; strict stops at it."""
    _write(tmp_path, {"LONGULT.txt": "10001\tDrainage of a pond\r\n1002 A row gone wrong\r\n10003\tRefilling\r\n"})
    reading = cpt.read(tmp_path / "LONGULT.txt", strict=False)
    assert [document.code for document in reading.documents] == ["10001", "10003"]
    # Five lines of preamble, then the first row, then the bad one.
    complaint = "LONGULT.txt:7: got '1002 A row gone wrong', expected a row of long descriptors"
    assert [str(problem) for problem in reading.problems] == [complaint]
    with pytest.raises(SourceError) as caught:
        cpt.read(tmp_path / "LONGULT.txt", strict=True)
    assert str(caught.value) == complaint


def test_a_file_of_preamble_alone_is_refused(tmp_path: Path) -> None:
    """A file without any row is an error that names what it should hold."""
    _write(tmp_path, {"SHORTU.txt": ""})
    with pytest.raises(SourceError, match=r"SHORTU\.txt: holds no row of short descriptors"):
        cpt.read(tmp_path / "SHORTU.txt", strict=False)
