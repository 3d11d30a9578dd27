"""Which files are found, and which reader takes them."""

from __future__ import annotations

from pathlib import Path

import pytest
from conftest import DEFINITIONS, HCPCS_CSV, INDEX, TABLES, fixed_width, order_file

from index.records import CodeSystem
from index.sources import SourceError, find, read
from index.sources.hcpcs_layout import Meanings
from index.sources.icd10pcs_definitions import Definitions
from index.sources.icd10pcs_index import Index
from index.sources.icd10pcs_tables import Tables
from index.sources.policies import Policies

PAGE = '---\nsystem: cpt\ncode: "10001"\ntitle: Drainage\n---\n\n## Summary\nA pond is drained.\n'


def _names(paths: list[Path]) -> list[str]:
    return [path.name for path in paths]


def test_a_folder_gives_its_sources_in_order_and_the_others_with_a_word(tmp_path: Path) -> None:
    """Files below a folder are sorted by path, hidden ones passed over silently, unknown ones with a notice."""
    for name in ("b.md", "deep/a.md", ".hidden.md", ".git/c.md", "deep/.cache/d.md"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(PAGE, encoding="utf-8")
    (tmp_path / "notes.csv").write_text("a,“b”\n1,2\n", encoding="utf-8")
    (tmp_path / "empty.txt").touch()
    files, passed = find([tmp_path])
    assert files == [(tmp_path / "b.md").resolve(), (tmp_path / "deep" / "a.md").resolve()]
    assert [str(problem) for problem in passed] == [
        "empty.txt: is of no format that is read here: passed over",
        "notes.csv: is of no format that is read here: passed over",
    ]


def test_a_folder_below_a_hidden_one_is_read_when_it_is_named(tmp_path: Path) -> None:
    """Hidden are names below the folder that is given, not above it; a hidden file that is named itself is read."""
    folder = tmp_path / ".data" / "pages"
    folder.mkdir(parents=True)
    (folder / "a.md").write_text(PAGE, encoding="utf-8")
    (folder / ".b.md").write_text(PAGE, encoding="utf-8")
    assert _names(find([folder])[0]) == ["a.md"]
    assert _names(find([folder / ".b.md"])[0]) == [".b.md"]


def test_a_file_that_is_given_twice_is_found_once(tmp_path: Path) -> None:
    """A file named itself and by its folder comes once, where it was named first."""
    for name in ("a.md", "b.md"):
        (tmp_path / name).write_text(PAGE, encoding="utf-8")
    files, passed = find([tmp_path / "b.md", tmp_path, tmp_path / "." / "a.md"])
    assert (_names(files), passed) == (["b.md", "a.md"], [])


def test_no_path_gives_no_file(tmp_path: Path) -> None:
    """Nothing named, or an empty folder, is no error."""
    assert find([]) == ([], [])
    assert find([tmp_path]) == ([], [])


def test_an_unknown_file_that_is_named_itself_is_an_error(tmp_path: Path) -> None:
    """Whoever names a file means it to be read: it is not passed over."""
    path = tmp_path / "notes.csv"
    path.write_text("a,b\n", encoding="utf-8")
    for attempt in (lambda: find([path]), lambda: read(path, strict=False)):
        with pytest.raises(SourceError) as caught:
            attempt()
        assert str(caught.value).startswith(f"{path}: is of no format that is read here")


def test_a_path_that_does_not_exist_is_an_error(tmp_path: Path) -> None:
    """A missing path is named."""
    path = tmp_path / "missing"
    with pytest.raises(SourceError) as caught:
        find([tmp_path, path])
    assert str(caught.value) == f"{path}: does not exist"


def test_every_file_of_the_small_releases_is_read(releases: Path) -> None:
    """The samples of all formats are found, none is passed over, and each holds what it should."""
    files, passed = find([releases])
    assert passed == []
    readings = {path.name: read(path, strict=False) for path in files}
    assert {
        name: (str(reading.release.system), reading.release.version, len(reading.documents), type(reading.facts))
        for name, reading in readings.items()
    } == {
        "2026-icd-10-pcs-order-file.zip": ("icd10pcs", "2026", 6, type(None)),
        "HCPC2026_JAN_codes.csv": ("hcpcs", "2026-01", 3, type(None)),
        "icd10pcs_definitions_2026.xml": ("icd10pcs", "2026", 0, Definitions),
        "icd10pcs_index_2025.xml": ("icd10pcs", "2025", 0, Index),
        "icd10pcs_tables_2026.xml": ("icd10pcs", "2026", 0, Tables),
    }
    line = INDEX[: INDEX.index("Levitation")].count("\n") + 1
    assert [str(problem) for reading in readings.values() for problem in reading.problems] == [
        f"icd10pcs_index_2025.xml:{line}: “see Levitation” leads nowhere: no such term"
    ]


@pytest.mark.parametrize(
    ("name", "text", "system", "facts"),
    [
        ("icd10pcs_order_2026.txt", order_file(), CodeSystem.ICD10PCS, type(None)),
        ("a.xml", TABLES, CodeSystem.ICD10PCS, Tables),
        ("b.xml", DEFINITIONS, CodeSystem.ICD10PCS, Definitions),
        ("c.xml", INDEX, CodeSystem.ICD10PCS, Index),
        ("HCPC2026_JAN_ANWEB.txt", fixed_width("LT", "7", "Left side"), CodeSystem.HCPCS, type(None)),
        ("HCPC2026_JAN_codes.csv", HCPCS_CSV, CodeSystem.HCPCS, type(None)),
        (
            "proc_notes_JAN2025.txt",
            "     PROCESSING NOTES\n ____\n\n   0001--A NOTE.   *\n",
            CodeSystem.HCPCS,
            Meanings,
        ),
        ("LONGULT.txt", "Of 2026.\n10001\tDrainage of a pond\n", CodeSystem.CPT, type(None)),
        ("a.md", PAGE, CodeSystem.CPT, type(None)),
        ("a.txt", "Drainage\n\nCPT4 code 10001\n\nSummary\nA pond is drained.\n", CodeSystem.CPT, type(None)),
        ("rules.csv", "title,codes\nA rule,cpt:10001\n", "policies", Policies),
        ("rules.jsonl", '{"title": "A rule", "codes": "cpt:10001"}\n', "policies", Policies),
        ("lcd.csv", "lcd_id,title\n1,A determination\n", "policies", tuple),
    ],
)
def test_each_format_is_recognised_by_its_reader(
    tmp_path: Path, name: str, text: str, system: str, facts: type
) -> None:
    """A sample of each format is found, and read as what it is."""
    path = tmp_path / name
    path.write_bytes(text.encode())
    assert _names(find([path])[0]) == [name]
    reading = read(path, strict=False)
    assert (reading.release.system, reading.release.file) == (system, name)
    assert type(reading.facts) is facts
    assert bool(reading.documents) is (facts is type(None))
