"""The ICD-10-PCS files: order file, tables, definitions and index."""

from __future__ import annotations

import zipfile
from itertools import pairwise
from pathlib import Path

import pytest
from conftest import DEFINITIONS, INDEX, ORDER_ROWS, TABLES, order_file

from index.records import CodeKind, CodeSystem, Document
from index.sources import Reading, SourceError, icd10pcs, icd10pcs_definitions, icd10pcs_index, icd10pcs_tables
from index.sources.icd10pcs_definitions import Definitions, Term
from index.sources.icd10pcs_index import Index, IndexTerm, Use
from index.sources.icd10pcs_tables import Tables

# A good row, in the columns of the order file.
GOOD = f"00001 0FT40ZZ 1 {'Resection of Gallbladder':60} Resection of Gallbladder, Open Approach"


def _order(folder: Path, *lines: str, strict: bool = False) -> Reading:
    path = folder / "icd10pcs_order_2026.txt"
    path.write_text("\r\n".join(lines) + "\r\n", encoding="utf-8", newline="")
    return icd10pcs.read(path, strict=strict)


def _zip(path: Path, content: str, member: str = "icd10pcs_order_2026.txt") -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("order_addenda_2026.txt", "Add:         0FT44ZZ")
        archive.writestr(member, content)
    return path


def _written(folder: Path, text: str) -> Path:
    path = folder / "a.xml"
    path.write_text(text, encoding="utf-8")
    return path


def _tables(folder: Path, text: str) -> tuple[Tables, list[str]]:
    reading = icd10pcs_tables.read(_written(folder, text), strict=False)
    assert isinstance(reading.facts, Tables)
    return reading.facts, [str(problem) for problem in reading.problems]


def _definitions(folder: Path, text: str) -> tuple[Definitions, list[str]]:
    reading = icd10pcs_definitions.read(_written(folder, text), strict=False)
    assert isinstance(reading.facts, Definitions)
    return reading.facts, [str(problem) for problem in reading.problems]


def _index(folder: Path, text: str) -> tuple[Index, list[str]]:
    reading = icd10pcs_index.read(_written(folder, text), strict=False)
    assert isinstance(reading.facts, Index)
    return reading.facts, [str(problem) for problem in reading.problems]


def _index_of(*mains: str) -> str:
    return (
        "<ICD10PCS.index>\n<version>2026</version>\n<letter>\n"
        + "\n".join(f"<mainTerm>{main}</mainTerm>" for main in mains)
        + "\n</letter>\n</ICD10PCS.index>"
    )


def test_a_zip_and_the_text_inside_it_give_the_same_documents(tmp_path: Path) -> None:
    """The order file reads alike packed and unpacked, and each release says which file it was."""
    text = tmp_path / "icd10pcs_order_2026.txt"
    text.write_text(order_file(), encoding="utf-8", newline="")
    unpacked = icd10pcs.read(text, strict=True)
    packed = icd10pcs.read(_zip(tmp_path / "2026-icd-10-pcs-order-file.zip", order_file()), strict=True)
    assert packed.documents == unpacked.documents
    assert len(packed.documents) == 6
    assert (packed.release.system, packed.release.version, packed.release.documents) == ("icd10pcs", "2026", 6)
    assert (packed.release.file, unpacked.release.file) == ("2026-icd-10-pcs-order-file.zip", "icd10pcs_order_2026.txt")


def test_headers_are_told_from_codes(tmp_path: Path) -> None:
    """Flag 0 makes a row a header, flag 1 a code, and both titles are taken from their columns."""
    reading = icd10pcs.read(_zip(tmp_path / "a.zip", order_file()), strict=True)
    headers = [document.code for document in reading.documents if document.kind is CodeKind.HEADER]
    codes = [document.code for document in reading.documents if document.kind is CodeKind.PROCEDURE]
    assert headers == ["0FT", "0QU"]
    assert codes == ["0FT40ZZ", "0FT44ZZ", "0QU10JZ", "0QU13JZ"]
    assert reading.documents[-1] == Document(
        CodeSystem.ICD10PCS,
        "0QU13JZ",
        "Supplement Sacrum with Synthetic Substitute, Percutaneous Approach",
        CodeKind.PROCEDURE,
        "Supplement Sacrum with Synthetic Substitute, Perc Approach",
    )


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (GOOD.replace("00001", "0000x"), "got order number '0000x', expected five digits"),
        (GOOD.replace(" 1 ", " 2 ", 1), "got flag '2' in column 15, expected 0 (header) or 1 (code)"),
        (GOOD.replace("0FT40ZZ", "0FT4OZZ"), "got code '0FT4OZZ', expected 7 characters of 0-9, A-H, J-N, P-Z"),
        (GOOD.replace("0FT40ZZ", "0FT40Z "), "got code '0FT40Z', expected 7 characters of 0-9, A-H, J-N, P-Z"),
        (GOOD.replace(" 1 ", " 0 ", 1), "got code '0FT40ZZ', expected 3 characters of 0-9, A-H, J-N, P-Z"),
        (GOOD[:77], "0FT40ZZ has no long title in column 78"),
        ("00001", "got flag '' in column 15, expected 0 (header) or 1 (code)"),
        (GOOD.replace("0FT40ZZ", "0FT44ZZ"), "0FT44ZZ stands twice: its first row is kept"),
    ],
)
def test_a_bad_row_is_skipped_with_file_and_line(tmp_path: Path, row: str, complaint: str) -> None:
    """Each fault of a row is named, the row left out, and the rows around it are kept; strict stops at it."""
    first = GOOD.replace("0FT40ZZ", "0FT44ZZ").replace("Open", "First")
    last = GOOD.replace("0FT40ZZ", "0FB43ZX")
    reading = _order(tmp_path, first, "", row, last)
    assert [document.code for document in reading.documents] == ["0FT44ZZ", "0FB43ZX"]
    assert reading.documents[0].title == "Resection of Gallbladder, First Approach"
    assert [str(problem) for problem in reading.problems] == [f"icd10pcs_order_2026.txt:3: {complaint}"]
    with pytest.raises(SourceError) as caught:
        _order(tmp_path, first, "", row, last, strict=True)
    assert str(caught.value) == f"icd10pcs_order_2026.txt:3: {complaint}"


def test_a_truncated_zip_is_refused(tmp_path: Path) -> None:
    """A zip that lost its end is recognised by its name, and its reading says that it is not whole."""
    path = _zip(tmp_path / "2026-icd-10-pcs-order-file.zip", order_file())
    content = path.read_bytes()
    path.write_bytes(content[: len(content) // 2])
    assert icd10pcs.recognise(path, content[:4096])
    with pytest.raises(SourceError, match="is a damaged or truncated zip: expected it whole, as CMS publishes it"):
        icd10pcs.read(path, strict=False)


def test_a_zip_with_damaged_bytes_is_refused(tmp_path: Path) -> None:
    """A zip whose packed bytes were changed is damaged, and nothing of it is used."""
    path = _zip(tmp_path / "a.zip", order_file())
    content = bytearray(path.read_bytes())
    with zipfile.ZipFile(path) as archive:
        member = archive.getinfo("icd10pcs_order_2026.txt")
    # The packed bytes begin behind 30 bytes of local header and the name.
    content[member.header_offset + 30 + len(member.filename) + 20] ^= 0xFF
    path.write_bytes(content)
    with pytest.raises(SourceError, match="is a damaged zip: "):
        icd10pcs.read(path, strict=False)


def test_an_encrypted_zip_is_refused(tmp_path: Path) -> None:
    """A zip that asks for a password is an error that says so."""
    path = _zip(tmp_path / "a.zip", order_file())
    content = bytearray(path.read_bytes())
    # Bit 0 of the flags: byte 6 of the local header, byte 8 of the entry in the directory.
    local, entry = content.rindex(b"PK\x03\x04"), content.rindex(b"PK\x01\x02")
    content[local + 6] |= 1
    content[entry + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(SourceError, match="is encrypted"):
        icd10pcs.read(path, strict=False)


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """An order file at the limit is read, and one byte more is refused before it is unpacked."""
    path = _zip(tmp_path / "a.zip", order_file())
    size = len(order_file())
    monkeypatch.setattr(icd10pcs, "_LARGEST", size)
    assert len(icd10pcs.read(path, strict=True).documents) == 6
    monkeypatch.setattr(icd10pcs, "_LARGEST", size - 1)
    with pytest.raises(SourceError, match=f"unpacks to {size:,} bytes, expected at most {size - 1:,}"):
        icd10pcs.read(path, strict=False)


def test_a_zip_without_an_order_file_is_refused(tmp_path: Path) -> None:
    """A zip that holds other files only is not recognised, and its reading says what it lacks."""
    path = _zip(tmp_path / "a.zip", "", member="readme.txt")
    assert not icd10pcs.recognise(path, path.read_bytes()[:4096])
    with pytest.raises(SourceError, match=r"holds no icd10pcs_order_YYYY\.txt"):
        icd10pcs.read(path, strict=False)


def test_a_name_without_year_is_refused(tmp_path: Path) -> None:
    """An order file of another name is known by its first row, and refused since no year is told."""
    path = tmp_path / "order.txt"
    path.write_text(order_file(), encoding="utf-8", newline="")
    assert icd10pcs.recognise(path, path.read_bytes()[:4096])
    with pytest.raises(SourceError, match=r"its name tells no fiscal year: expected icd10pcs_order_YYYY\.txt"):
        icd10pcs.read(path, strict=False)


def test_an_empty_order_file_is_refused(tmp_path: Path) -> None:
    """A file without one good row is no order file."""
    with pytest.raises(SourceError, match=r"icd10pcs_order_2026\.txt: holds no row of an order file"):
        _order(tmp_path, "")


def test_tables_expand_to_their_codes(tmp_path: Path) -> None:
    """Each row gives every combination of its values, with the labels of all seven axes."""
    reading = icd10pcs_tables.read(_written(tmp_path, TABLES), strict=True)
    tables, problems = _tables(tmp_path, TABLES)
    assert problems == []
    expanded = {code: axes for table in tables.tables.values() for code, axes in table.codes()}
    assert list(expanded) == [code for code, flag, *_ in ORDER_ROWS if flag == "1"]
    axes = expanded["0QU13JZ"]
    assert [axis.name for axis in axes] == [
        "Section",
        "Body System",
        "Operation",
        "Body Part",
        "Approach",
        "Device",
        "Qualifier",
    ]
    assert [axis.labels[value] for axis, value in zip(axes, "0QU13JZ", strict=True)] == [
        "Medical and Surgical",
        "Lower Bones",
        "Supplement",
        "Sacrum",
        "Percutaneous",
        "Synthetic Substitute",
        "No Qualifier",
    ]
    assert tables.tables["0QU"].definition == "Putting in material that reinforces a body part"
    assert (reading.release.version, reading.release.documents, reading.documents) == ("2026", 2, ())


def test_a_table_that_stands_twice_keeps_the_rows_of_both(tmp_path: Path) -> None:
    """A second table of the same three characters adds its rows, and is complained of with its line."""
    begin, end = TABLES.index("  <pcsTable>"), TABLES.index("</pcsTable>") + len("</pcsTable>\n")
    again = TABLES[begin:end].replace('code="4">Gallbladder', 'code="5">Hepatic Duct, Right')
    text = TABLES.replace("</ICD10PCS.tabular>", f"{again}</ICD10PCS.tabular>")
    tables, problems = _tables(tmp_path, text)
    assert [code for code, _ in tables.tables["0FT"].codes()] == ["0FT40ZZ", "0FT44ZZ", "0FT50ZZ", "0FT54ZZ"]
    line = TABLES[: TABLES.index("</ICD10PCS.tabular>")].count("\n") + 1
    assert problems == [f"a.xml:{line}: table 0FT stands twice: the rows of both are kept"]
    with pytest.raises(SourceError, match="table 0FT stands twice"):
        icd10pcs_tables.read(_written(tmp_path, text), strict=True)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('pos="7"', 'pos="8"'),
        ('code="Z">No Device', 'code="ZZ">No Device'),
        ('code="Z">No Device', 'code="Z">'),
    ],
)
def test_a_broken_row_of_a_table_is_skipped_with_its_line(tmp_path: Path, old: str, new: str) -> None:
    """A row without axes 4 to 7, or with a value that is no single labelled character, gives no code."""
    tables, problems = _tables(tmp_path, TABLES.replace(old, new, 1))
    assert tables.tables["0FT"].rows == ()
    assert [code for code, _ in tables.tables["0QU"].codes()] == ["0QU10JZ", "0QU13JZ"]
    # Version, title, the table and its three axes stand in lines 3 to 8 below the declaration and the root.
    assert problems == ["a.xml:9: a row of table 0FT that is not axes 4 to 7 with labelled values: skipped"]


def test_a_table_with_a_broken_head_is_skipped_with_its_line(tmp_path: Path) -> None:
    """A table that does not have three axes of one value each is left out."""
    text = TABLES.replace('<label code="T">Resection</label>', "")
    tables, problems = _tables(tmp_path, text)
    assert list(tables.tables) == ["0QU"]
    assert problems == ["a.xml:5: a table whose head is not three axes of one value each: skipped"]


def test_tables_without_a_table_are_refused(tmp_path: Path) -> None:
    """A tables file that is whole and empty is an error."""
    path = _written(tmp_path, "<ICD10PCS.tabular><version>2026</version></ICD10PCS.tabular>")
    with pytest.raises(SourceError, match=r"a\.xml: holds no table"):
        icd10pcs_tables.read(path, strict=False)


def test_an_xml_without_a_year_is_refused(tmp_path: Path) -> None:
    """A version that is no fiscal year is an error that tells what was got."""
    path = _written(tmp_path, TABLES.replace("<version>2026<", "<version>new<"))
    with pytest.raises(SourceError, match=r"a\.xml: got version 'new', expected a fiscal year"):
        icd10pcs_tables.read(path, strict=False)


def test_an_xml_that_is_cut_off_is_refused_with_its_line(tmp_path: Path) -> None:
    """A file that ends early is no whole XML; the message names the line where it ends."""
    path = _written(tmp_path, "".join(TABLES.splitlines(keepends=True)[:8]))
    with pytest.raises(SourceError, match=r"a\.xml:9: is no whole XML: "):
        icd10pcs_tables.read(path, strict=False)


def _declaring(entities: str) -> str:
    """Returns the tables with these entities, the last of them named "last", and a title that uses it."""
    declared = TABLES.replace("<ICD10PCS.tabular>", f"<!DOCTYPE x [{entities}]><ICD10PCS.tabular>")
    return declared.replace("<title>2026 ICD", "<title>&last; ICD")


def test_an_xml_that_declares_entities_is_refused(tmp_path: Path) -> None:
    """An entity that stands for a file, or for a word, ends the reading, and the file's text goes nowhere."""
    secret = tmp_path / "secret.txt"
    secret.write_text("a secret", encoding="utf-8")
    for entity in (f'SYSTEM "{secret.as_uri()}"', '"a word"'):
        with pytest.raises(SourceError) as caught:
            icd10pcs_tables.read(_written(tmp_path, _declaring(f"<!ENTITY last {entity}>")), strict=False)
        assert str(caught.value).endswith(
            "a.xml:1: declares a document type or entities, which no CMS release does: not read"
        )


def test_an_xml_whose_entities_grow_without_end_is_refused(tmp_path: Path) -> None:
    """ "Billion laughs", ten entities each of ten of the one before, is refused before it is unfolded."""
    names = [*"abcdefghi", "last"]
    entities = '<!ENTITY a "ha">' + "".join(
        f'<!ENTITY {name} "{f"&{before};" * 10}">' for before, name in pairwise(names)
    )
    with pytest.raises(SourceError, match=r"a\.xml:1: "):
        icd10pcs_tables.read(_written(tmp_path, _declaring(entities)), strict=False)


def test_an_xml_with_another_root_is_refused(tmp_path: Path) -> None:
    """Definitions given to the reader of tables are an error that names both."""
    path = _written(tmp_path, DEFINITIONS)
    with pytest.raises(
        SourceError, match=r"a\.xml:2: got root element 'ICD10PCS\.definitions', expected 'ICD10PCS\.tabular'"
    ):
        icd10pcs_tables.read(path, strict=False)


def test_definitions_give_what_a_value_stands_for(tmp_path: Path) -> None:
    """Examples of an operation are cut at commas, keys have one element each, and marks of trademarks go."""
    definitions, problems = _definitions(tmp_path, DEFINITIONS)
    assert problems == []
    assert definitions.terms == {
        ("0", 3, "Resection"): Term(
            "Cutting out or off, without replacement, all of a body part",
            includes=("Total nephrectomy", "total lobectomy of lung"),
        ),
        ("0", 4, "Sacrum"): Term(includes=("Sacral ala",)),
        ("0", 5, "Percutaneous"): Term("Entry, by puncture, of instrumentation"),
        ("0", 6, "Synthetic Substitute in Lower Bones"): Term(includes=("Bone cement",)),
    }


def test_the_most_specific_title_of_a_device_is_taken(tmp_path: Path) -> None:
    """A device's term for the operation and the body system comes before that for the system, and that before any."""
    terms = "".join(
        f"<terms><title>{title}</title><includes>{told}</includes></terms>"
        for title, told in (
            ("Cardiac Lead", "any lead"),
            ("Cardiac Lead in Heart", "lead in the heart"),
            ("Cardiac Lead for Insertion in Heart", "lead put into the heart"),
        )
    )
    text = (
        '<ICD10PCS.definitions><version>2026</version><section code="0"><axis pos="6">'
        f"{terms}</axis></section></ICD10PCS.definitions>"
    )
    definitions, _ = _definitions(tmp_path, text)
    found = [
        definitions.find(code, 6, "Cardiac Lead", system, operation).includes
        for code, system, operation in (
            ("02H", "Heart", "Insertion"),
            ("02P", "Heart", "Removal"),
            ("03P", "Arteries", "Removal"),
            ("BW0", "Heart", "Insertion"),
        )
    ]
    assert found == [("lead put into the heart",), ("lead in the heart",), ("any lead",), ()]


def test_rehabilitation_terms_are_told_apart_by_assessment_and_treatment(tmp_path: Path) -> None:
    """A type qualifier of section F takes the term of its own kind of operation."""
    terms = "".join(
        f"<terms><title>Articulation ({kind})</title><definition>{kind} of speech</definition></terms>"
        for kind in ("Assessment", "Treatment")
    )
    text = (
        '<ICD10PCS.definitions><version>2026</version><section code="F"><axis pos="5">'
        f"{terms}</axis></section></ICD10PCS.definitions>"
    )
    definitions, _ = _definitions(tmp_path, text)
    found = [
        definitions.find("F00", 5, "Articulation", "Rehabilitation", operation).definition
        for operation in ("Speech Assessment", "Speech Treatment")
    ]
    assert found == ["Assessment of speech", "Treatment of speech"]
    assert definitions.find("000", 5, "Articulation", "Rehabilitation", "Speech Assessment") == Term()


def test_a_definition_without_title_content_or_place_is_skipped_with_its_line(tmp_path: Path) -> None:
    """A term needs a title and something that it says, an axis its position; strict stops at the first."""
    text = (
        '<ICD10PCS.definitions>\n<version>2026</version>\n<section code="0">\n<axis pos="3">\n'
        "<terms><title>Bypass</title></terms>\n"
        "<terms><definition>Of nothing</definition></terms>\n"
        "<terms><title>Release</title><definition>Freeing</definition></terms>\n"
        '</axis>\n<axis pos="x">\n<terms><title>Lost</title><definition>Lost</definition></terms>\n</axis>\n'
        "</section>\n</ICD10PCS.definitions>"
    )
    definitions, problems = _definitions(tmp_path, text)
    assert definitions.terms == {("0", 3, "Release"): Term("Freeing")}
    assert problems == [
        "a.xml:5: term 'Bypass' lacks its title or all content: skipped",
        "a.xml:6: term '' lacks its title or all content: skipped",
        "a.xml:9: got axis position 'x', expected 1 to 7: skipped",
    ]
    with pytest.raises(SourceError, match=r"a\.xml:5: term 'Bypass'"):
        icd10pcs_definitions.read(_written(tmp_path, text), strict=True)


def test_definitions_without_a_term_are_refused(tmp_path: Path) -> None:
    """A definitions file that is whole and empty is an error."""
    path = _written(tmp_path, "<ICD10PCS.definitions><version>2026</version></ICD10PCS.definitions>")
    with pytest.raises(SourceError, match=r"a\.xml: holds no term"):
        icd10pcs_definitions.read(path, strict=False)


def test_the_index_gives_terms_uses_and_references_that_lead_nowhere(tmp_path: Path) -> None:
    """Terms are joined by commas, "see" is followed to its codes, and one to nowhere is named with its line."""
    index, problems = _index(tmp_path, INDEX)
    assert index.year == "2025"
    assert index.terms == (
        IndexTerm("Cholecystectomy", ("0FB4", "0FT4")),
        IndexTerm("Gallbladder removal", ("0FB4", "0FT4")),
        IndexTerm("Reinforcement, Bone", ("0QU",)),
    )
    assert index.uses == (Use("Os sacrum", "Sacrum"),)
    line = INDEX[: INDEX.index("Levitation")].count("\n") + 1
    assert problems == [f"a.xml:{line}: “see Levitation” leads nowhere: no such term"]
    with pytest.raises(SourceError, match="“see Levitation” leads nowhere"):
        icd10pcs_index.read(_written(tmp_path, INDEX), strict=True)


def test_see_is_followed_through_a_chain_and_round_a_circle(tmp_path: Path) -> None:
    """A reference to a reference ends at the codes; two terms that name each other end the search, with no codes."""
    index, problems = _index(
        tmp_path,
        _index_of(
            "<title>First</title><see>Second</see>",
            "<title>Second</title><see>Third, Inner</see>",
            '<title>Third</title><term level="1"><title>Inner</title><code>0FT40ZZ</code></term>'
            '<term level="1"><title>Outer</title><code>0FT44ZZ</code></term>',
            "<title>Here</title><see>There</see>",
            "<title>There</title><see>Here</see>",
            "<title>Fourth</title><see>Third using Hooks</see>",
        ),
    )
    assert {term.text: term.prefixes for term in index.terms} == {
        "First": ("0FT40ZZ",),
        "Second": ("0FT40ZZ",),
        "Third, Inner": ("0FT40ZZ",),
        "Third, Outer": ("0FT44ZZ",),
        "Fourth": ("0FT40ZZ", "0FT44ZZ"),
    }
    assert problems == []


def test_a_use_keeps_its_table_and_loses_marks(tmp_path: Path) -> None:
    """A term whose label ends in "in" and a table keeps both; the marks of trademarks are removed."""
    index, _ = _index(
        tmp_path,
        _index_of(
            "<title>Gluefix(TM) cement</title><use>Synthetic Substitute(R) in<tab>0QU</tab></use>",
            '<title>Cage(R)</title><term level="1"><title>Titanium(tm)</title><tab>0RG</tab></term>',
        ),
    )
    assert index.uses == (Use("Gluefix cement", "Synthetic Substitute", "0QU"),)
    assert index.terms == (IndexTerm("Cage, Titanium", ("0RG",)),)


def test_an_index_that_leads_to_no_code_is_refused(tmp_path: Path) -> None:
    """An index of uses alone leads nowhere."""
    path = _written(tmp_path, _index_of("<title>Os sacrum</title><use>Sacrum</use>"))
    with pytest.raises(SourceError, match=r"a\.xml: holds no term that leads to a code"):
        icd10pcs_index.read(path, strict=False)


def test_a_reference_to_diagnostic_codes_leads_to_those_alone(tmp_path: Path) -> None:
    """ "see Excision with qualifier Diagnostic" leads to codes below Excision that end in X."""
    path = tmp_path / "icd10pcs_index_2025.xml"
    path.write_text(
        "<ICD10PCS.index><version>2025</version><letter>"
        "<mainTerm><title>Biopsy</title><see>Excision with qualifier Diagnostic</see></mainTerm>"
        "<mainTerm><title>Excision</title>"
        "<term level='1'><title>Gallbladder</title><codes>0FB4</codes></term></mainTerm>"
        "</letter></ICD10PCS.index>",
        encoding="utf-8",
    )
    facts = icd10pcs_index.read(path, strict=True).facts
    assert isinstance(facts, icd10pcs_index.Index)
    assert {term.text: term.prefixes for term in facts.terms} == {
        "Biopsy": ("0FB4..X",),
        "Excision, Gallbladder": ("0FB4",),
    }
