"""Coverage policies: the project's own form, the Medicare Coverage Database, and both joined to codes."""

from __future__ import annotations

import io
import json
import zipfile
from datetime import date
from pathlib import Path

import pytest

from index.compose.policies import compose
from index.records import CodeSystem, Document, Policy
from index.sources import Reading, SourceError, coverage_database, policies
from index.sources.coverage_database import CoverageTable
from index.sources.policies import CodePattern, Policies

HEADER = "payer,policy_id,title,url,effective,reviewed,text,codes\n"
ROW = (
    'Koi Mutual,K-17,Pond drainage,https://example.org/17,2025-01-01,2026-02-03,"Covered, once a year.",'
    "cpt:22510-22512 icd10pcs:0QU1* HCPCS:e0601\n"
)
POLICY = Policy(
    "Pond drainage",
    "Koi Mutual",
    "K-17",
    "https://example.org/17",
    date(2025, 1, 1),
    date(2026, 2, 3),
    "Covered, once a year.",
)
PATTERNS = (
    CodePattern(CodeSystem.CPT, "22510", "22512"),
    CodePattern(CodeSystem.ICD10PCS, "0QU1", "0QU1\x7f"),
    CodePattern(CodeSystem.HCPCS, "E0601", "E0601"),
)

LCD = (
    '"lcd_id","title","rev_eff_date","last_reviewed_on","indication"\n'
    '"33569","Percutaneous Vertebral Augmentation","2024-05-01 00:00:00.000","0000-00-00",'
    '"<p>Covered &amp; told,</p>\n<ul><li>once</li></ul>"\n'
    '"33570","Named by no code","2024-05-01",,"<p>Nothing</p>"\n'
)
LCD_CODES = "lcd_id,hcpc_code_id\n33569,22510\n"
ARTICLE = "article_id,title,description\n56178,Billing and Coding: Vertebral Augmentation,How to bill\n"
ARTICLE_CODES = "article_id,hcpc_code_id\n56178,22511\n56178,E0601\n"
ARTICLE_PCS = "article_id,icd10_pcs_code_id\n56178,0QU13JZ\n"
RELATED = "article_id,r_lcd_id\n56178,33569\n56178,\n"
TABLES = {
    "lcd.csv": LCD,
    "lcd_x_hcpc_code.csv": LCD_CODES,
    "article.csv": ARTICLE,
    "article_x_hcpc_code.csv": ARTICLE_CODES,
    "article_x_icd10_pcs_code.csv": ARTICLE_PCS,
    "article_related_documents.csv": RELATED,
}
DETERMINATION = Policy(
    "Percutaneous Vertebral Augmentation",
    "Medicare",
    "LCD L33569",
    "https://www.cms.gov/medicare-coverage-database/view/lcd.aspx?lcdid=33569",
    date(2024, 5, 1),
    None,
    "Covered & told, once",
)
ARTICLE_POLICY = Policy(
    "Billing and Coding: Vertebral Augmentation",
    "Medicare",
    "Article A56178",
    "https://www.cms.gov/medicare-coverage-database/view/article.aspx?articleid=56178",
    text="How to bill",
)


def _read(folder: Path, text: str, name: str = "policies.csv", *, strict: bool = False) -> Reading:
    path = folder / name
    path.write_bytes(text.encode())
    assert policies.recognise(path, text.encode()[:4096])
    return policies.read(path, strict=strict)


def _rows(reading: Reading) -> tuple[tuple[int, Policy, tuple[CodePattern, ...]], ...]:
    assert isinstance(reading.facts, Policies)
    return reading.facts.rows


def _tables(path: Path, *, strict: bool = True) -> tuple[CoverageTable, ...]:
    facts = coverage_database.read(path, strict=strict).facts
    assert isinstance(facts, tuple)
    return facts


def _written_tables(folder: Path, files: dict[str, str]) -> list[CoverageTable]:
    tables: list[CoverageTable] = []
    for name, text in files.items():
        path = folder / name
        path.write_bytes(text.encode())
        assert coverage_database.recognise(path, text.encode()[:4096])
        tables += _tables(path)
    return tables


def _document(system: CodeSystem, code: str) -> Document:
    return Document(system, code, f"Title {code}")


def _named(documents: list[Document]) -> dict[str, list[str]]:
    """Returns the titles of the policies of each code that has any."""
    return {
        document.code: [policy.title for policy in document.policies] for document in documents if document.policies
    }


def test_csv_gives_policies_with_the_codes_they_name(tmp_path: Path) -> None:
    """Every field of a row is read, ranges and beginnings of codes as first and last code."""
    reading = _read(tmp_path, HEADER + ROW, strict=True)
    assert _rows(reading) == ((2, POLICY, PATTERNS),)
    release = reading.release
    assert (release.system, release.version, release.documents, reading.documents) == ("policies", "", 1, ())


def test_csv_with_every_field_quoted_is_read(tmp_path: Path) -> None:
    """Quotes round the names of the columns, and a title without any other field, are no hindrance."""
    reading = _read(tmp_path, '\ufeff"Title","Codes"\r\n"A rule","cpt:0201T"\r\n', strict=True)
    assert _rows(reading) == ((2, Policy("A rule"), (CodePattern(CodeSystem.CPT, "0201T", "0201T"),)),)


def test_json_lines_give_the_same_policies(tmp_path: Path) -> None:
    """Codes may be a list or a text, and lines are counted with the blank ones."""
    row: dict[str, object] = {
        "payer": "Koi Mutual",
        "policy_id": "K-17",
        "title": "Pond drainage",
        "url": "https://example.org/17",
        "effective": "2025-01-01",
        "reviewed": "2026-02-03",
        "text": "Covered, once a year.",
        "codes": "cpt:22510-22512 icd10pcs:0QU1* HCPCS:e0601",
    }
    listed = row | {"codes": ["cpt:22510-22512", "icd10pcs:0QU1*", "HCPCS:e0601"]}
    reading = _read(tmp_path, f"{json.dumps(row)}\n\n{json.dumps(listed)}\n", "policies.jsonl", strict=True)
    assert _rows(reading) == ((1, POLICY, PATTERNS), (3, POLICY, PATTERNS))


@pytest.mark.parametrize(
    ("row", "complaint"),
    [
        (
            "A rule,22510",
            "is no policy: got codes '22510', expected such as cpt:0201T, cpt:22510-22515 or icd10pcs:0QU1*",
        ),
        (
            "A rule,cpt:2*",
            "is no policy: got codes 'cpt:2*', expected such as cpt:0201T, cpt:22510-22515 or icd10pcs:0QU1*",
        ),
        ("A rule,", "is no policy: it names no codes"),
        (",cpt:22510", "is no policy: it has no title"),
        ("A rule,cpt:22510,2026-02-30", "is no policy: day is out of range for month"),
    ],
)
def test_a_bad_row_is_skipped_with_its_line(tmp_path: Path, row: str, complaint: str) -> None:
    """Each fault of a row is named, the other rows are kept, and strict stops at it."""
    text = f"title,codes,effective\n{row}\nGood,cpt:22511,\n"
    reading = _read(tmp_path, text)
    assert [(line, policy.title) for line, policy, _ in _rows(reading)] == [(3, "Good")]
    (problem,) = reading.problems
    assert str(problem).startswith(f"policies.csv:2: {complaint}")
    with pytest.raises(SourceError) as caught:
        _read(tmp_path, text, strict=True)
    assert str(caught.value) == str(problem)


def test_a_bad_line_of_json_is_skipped_with_its_line(tmp_path: Path) -> None:
    """A line that is no JSON, no object or lacks its codes is left out."""
    good = '{"title": "Good", "codes": "cpt:22511"}'
    reading = _read(tmp_path, f'{good}\n{{"title": \n["a list"]\n{{"title": "A rule"}}\n', "policies.jsonl")
    assert [line for line, *_ in _rows(reading)] == [1]
    assert [str(problem).split(": ")[:2] for problem in reading.problems] == [
        ["policies.jsonl:2", "is no JSON"],
        ["policies.jsonl:3", "is no JSON object"],
        ["policies.jsonl:4", "is no policy"],
    ]


def test_a_file_without_a_policy_is_refused(tmp_path: Path) -> None:
    """A header alone is an error."""
    with pytest.raises(SourceError, match=r"policies\.csv: holds no policy"):
        _read(tmp_path, HEADER)


def test_a_long_policy_text_is_read_whole(tmp_path: Path) -> None:
    """A text of more characters than Python's csv takes by itself (131,072) is read, and one without end refused."""
    reading = _read(tmp_path, f'title,codes,text\nA rule,cpt:22510,"{"word " * 30_000}"\n', strict=True)
    assert [len(policy.text) for _, policy, _ in _rows(reading)] == [149_999]


def test_a_text_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A quote that is never closed is an error with its line, no crash."""
    monkeypatch.setattr(policies, "_LONGEST", 1000)
    with pytest.raises(SourceError, match=r"policies\.csv:2: is no csv: field larger than field limit"):
        _read(tmp_path, 'title,codes,text\nA rule,cpt:22510,"' + "word " * 300)


def test_policies_join_the_codes_of_ranges_and_beginnings() -> None:
    """A range takes both its ends, a beginning all codes below it, and no code of another system."""
    documents = [
        _document(CodeSystem.CPT, "22509"),
        _document(CodeSystem.CPT, "22510"),
        _document(CodeSystem.CPT, "22512"),
        _document(CodeSystem.CPT, "22513"),
        _document(CodeSystem.HCPCS, "E0600"),
        _document(CodeSystem.HCPCS, "E0601"),
        _document(CodeSystem.ICD10PCS, "0QU"),
        _document(CodeSystem.ICD10PCS, "0QU10JZ"),
        _document(CodeSystem.ICD10PCS, "0QU1ZZZ"),
        _document(CodeSystem.ICD10PCS, "0QU20JZ"),
    ]
    composed, problems = compose(documents, [Policies("a.csv", ((2, POLICY, PATTERNS),))])
    assert problems == []
    assert list(_named(composed)) == ["22510", "22512", "E0601", "0QU10JZ", "0QU1ZZZ"]
    assert all(document.policies in ((), (POLICY,)) for document in composed)
    assert [document.code for document in composed] == [document.code for document in documents]


def test_codes_that_are_not_in_the_index_are_reported_with_their_line() -> None:
    """A policy's patterns that match no code are named by their first code, with the policy's line."""
    documents = [_document(CodeSystem.CPT, "22511")]
    composed, problems = compose(documents, [Policies("a.csv", ((2, POLICY, PATTERNS),))])
    assert _named(composed) == {"22511": ["Pond drainage"]}
    assert [str(problem) for problem in problems] == [
        "a.csv:2: names codes that are not in this index: icd10pcs:0QU1, hcpcs:E0601"
    ]


def test_a_policy_that_a_page_names_too_is_kept_once() -> None:
    """A page's own policies stay first, and the same policy of a file is not added again."""
    page = Document(CodeSystem.CPT, "22511", "A title", policies=(Policy("From the page"), POLICY))
    composed, _ = compose([page], [Policies("a.csv", ((2, POLICY, PATTERNS[:1]), (3, Policy("Third"), PATTERNS[:1])))])
    assert _named(composed) == {"22511": ["From the page", "Pond drainage", "Third"]}


def test_codes_of_an_article_reach_the_determination_it_is_related_to(tmp_path: Path) -> None:
    """A determination has its own codes and its articles', the article its own, and each its address and dates."""
    tables = _written_tables(tmp_path, TABLES)
    article = tuple(
        CodePattern(system, code, code)
        for system, code in (
            (CodeSystem.CPT, "22511"),
            (CodeSystem.HCPCS, "E0601"),
            (CodeSystem.ICD10PCS, "0QU13JZ"),
        )
    )
    assert coverage_database.policies(tables) == [
        (ARTICLE_POLICY, article),
        (DETERMINATION, (CodePattern(CodeSystem.CPT, "22510", "22510"), *article)),
    ]


def test_a_determination_without_codes_is_left_out(tmp_path: Path) -> None:
    """Without code tables no determination and no article is a policy."""
    tables = _written_tables(tmp_path, {name: TABLES[name] for name in ("lcd.csv", "article.csv")})
    assert [len(table.rows) for table in tables] == [2, 1]
    assert coverage_database.policies(tables) == []


def test_determinations_join_their_codes_and_no_other_is_reported(tmp_path: Path) -> None:
    """Codes that the index lacks are no problem here: they are CPT codes that only a licensed file brings."""
    tables = tuple(_written_tables(tmp_path, TABLES))
    documents = [_document(CodeSystem.CPT, "22510"), _document(CodeSystem.ICD10PCS, "0QU13JZ")]
    composed, problems = compose(documents, [tables])
    assert problems == []
    assert [document.policies for document in composed] == [(DETERMINATION,), (ARTICLE_POLICY, DETERMINATION)]


def test_zips_inside_a_zip_give_the_same_tables(tmp_path: Path) -> None:
    """CMS's form, csv files in a zip in a zip beside other files, reads as the csv files do."""
    inner = io.BytesIO()
    with zipfile.ZipFile(inner, "w") as archive:
        for name, text in TABLES.items():
            archive.writestr(f"csv/{name.upper() if name == 'lcd.csv' else name}", text)
        archive.writestr("csv/contractor.csv", "contractor_id\n1\n")
    path = tmp_path / "all_lcd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.pdf", "")
        archive.writestr("all_lcd_csv.zip", inner.getvalue())
    assert coverage_database.recognise(path, path.read_bytes()[:4096])
    packed = _tables(path)
    assert [(table.file, table.name) for table in packed[:2]] == [
        ("all_lcd.zip", "lcd"),
        ("all_lcd.zip", "lcd_x_hcpc_code"),
    ]
    plain = _written_tables(tmp_path, TABLES)
    assert coverage_database.policies(list(packed)) == coverage_database.policies(plain)
    # Two determinations, a code of one, an article, three codes of it, and the one relation that is to a determination.
    assert coverage_database.read(path, strict=True).release.documents == 8


def test_a_row_without_its_id_is_skipped_with_its_line(tmp_path: Path) -> None:
    """A row that lacks an id or a code is left out, and strict stops at it."""
    path = tmp_path / "lcd_x_hcpc_code.csv"
    path.write_text("lcd_id,hcpc_code_id\n33569,22510\n33569,\n", encoding="utf-8")
    reading = coverage_database.read(path, strict=False)
    complaint = "lcd_x_hcpc_code.csv:3: a row of lcd_x_hcpc_code.csv lacks lcd_id or hcpc_code_id: skipped"
    assert [str(problem) for problem in reading.problems] == [complaint]
    assert reading.release.documents == 1
    with pytest.raises(SourceError) as caught:
        coverage_database.read(path, strict=True)
    assert str(caught.value) == complaint


def test_a_table_is_recognised_whatever_its_bytes(tmp_path: Path) -> None:
    """A byte order mark, or typographic quotes in UTF-8 or Windows-1252, hinder no recognition."""
    path = tmp_path / "lcd.csv"
    for head in ("\ufefflcd_id,title\n1,“a”\n".encode(), b"lcd_id,title\n1,\x93a\x94\x81\n"):
        assert coverage_database.recognise(path, head)
    assert not coverage_database.recognise(path, "lcd_id,“title”\n".encode())
    assert not coverage_database.recognise(tmp_path / "other.csv", b"lcd_id,title\n")


def test_a_damaged_zip_is_refused(tmp_path: Path) -> None:
    """A zip that is cut off or whose packed bytes were changed, inside a zip too, is an error."""
    path = tmp_path / "lcd.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("lcd.csv", LCD * 10)
    whole = path.read_bytes()
    # The packed bytes begin behind 30 bytes of local header and the seven of the name.
    changed = whole[:47] + bytes([whole[47] ^ 0xFF]) + whole[48:]
    for content in (whole[:-30], changed):
        path.write_bytes(content)
        with pytest.raises(SourceError, match="is a damaged zip: "):
            coverage_database.read(path, strict=False)
        with zipfile.ZipFile(tmp_path / "all_lcd.zip", "w") as archive:
            archive.writestr("lcd.zip", content)
        with pytest.raises(SourceError, match="is a damaged zip: "):
            coverage_database.read(tmp_path / "all_lcd.zip", strict=False)


def test_a_zip_that_unpacks_to_too_much_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A member past the limit is refused before it is unpacked."""
    path = tmp_path / "lcd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lcd.csv", LCD)
    monkeypatch.setattr(coverage_database, "_LARGEST", len(LCD) - 1)
    with pytest.raises(SourceError, match=rf"lcd\.csv unpacks to {len(LCD):,} bytes, expected {len(LCD) - 1:,}"):
        coverage_database.read(path, strict=False)


def test_a_zip_without_any_table_is_refused(tmp_path: Path) -> None:
    """A zip of the right name that holds none of the tables is an error that names them."""
    path = tmp_path / "lcd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("readme.txt", "")
    with pytest.raises(SourceError, match="holds no row of lcd, lcd_x_hcpc_code, article, "):
        coverage_database.read(path, strict=False)


def test_a_table_without_a_column_is_refused(tmp_path: Path) -> None:
    """The message names the column that is missing, and all that are expected."""
    path = tmp_path / "lcd.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("lcd.csv", "lcd_id,name\n1,A\n")
    with pytest.raises(SourceError, match=r"lcd\.zip: lcd\.csv has no column 'title', expected lcd_id, title"):
        coverage_database.read(path, strict=False)
