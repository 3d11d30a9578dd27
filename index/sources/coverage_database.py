"""The Medicare Coverage Database: local coverage determinations and articles, and the codes they name.

The tables come as csv files (`lcd.csv`, `article_x_hcpc_code.csv`, …) or as the zips that CMS publishes, csv
files inside a zip inside a zip. CMS moved the codes of most determinations to their articles, so a
determination's codes are its own and those of the articles that name it as related.
"""

from __future__ import annotations

import csv
import html
import io
import re
import zipfile
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from index.records import CodeSystem, Policy, Release
from index.sources.policies import CodePattern
from index.sources.reading import Complaints, Reading, SourceError, decode, sha256
from index.text import clean

# Each table with the columns that are read of it.
TABLES: dict[str, tuple[str, ...]] = {
    "lcd": ("lcd_id", "title"),
    "lcd_x_hcpc_code": ("lcd_id", "hcpc_code_id"),
    "article": ("article_id", "title"),
    "article_x_hcpc_code": ("article_id", "hcpc_code_id"),
    "article_x_icd10_pcs_code": ("article_id", "icd10_pcs_code_id"),
    "article_related_documents": ("article_id", "r_lcd_id"),
}

PAYER = "Medicare"
_URL = "https://www.cms.gov/medicare-coverage-database/view/"

# Bytes. The largest export, of all determinations ever, has a few hundred megabytes.
_LARGEST = 2_000_000_000

# Characters of a determination's text that are kept: enough for what is covered, when, and for whom.
_TEXT = 4000


@dataclass(frozen=True, slots=True)
class CoverageTable:
    """One table: its name, and of each row the columns that are known of it."""

    file: str
    name: str
    rows: tuple[dict[str, str], ...]


def recognise(path: Path, head: bytes) -> bool:
    """Returns whether the file is one of the tables, or a zip of them; `head` is how it begins."""
    if path.suffix.lower() == ".csv":
        first = head.decode("utf-8-sig", "replace").split("\n", 1)[0]
        header = {name.strip().strip('"').lower() for name in first.split(",")}
        return path.stem.lower() in TABLES and set(TABLES[path.stem.lower()]) <= header
    return head.startswith(b"PK") and bool(re.search(r"(lcd|article).*\.zip", path.name, re.IGNORECASE))


def read(path: Path, *, strict: bool) -> Reading:
    """Returns the tables of a file.

    Raises:
        SourceError: it is damaged or holds none of them, or (`strict`) a row lacks its id.
    """
    complaints = Complaints(path.name, strict=strict)
    if path.suffix.lower() == ".csv":
        found = [_table(path.stem.lower(), path.read_bytes(), complaints)]
    else:
        try:
            with zipfile.ZipFile(path) as archive:
                found = [_table(name, content, complaints) for name, content in _members(archive, path)]
        except (zipfile.BadZipFile, zlib.error, RuntimeError, OSError, EOFError) as error:
            raise SourceError(f"{path}: is a damaged zip: {error}") from error
    rows = sum(len(table.rows) for table in found)
    if not rows:
        raise SourceError(f"{path}: holds no row of {', '.join(TABLES)}")
    release = Release("policies", "", path.name, sha256(path), rows)
    return Reading(release, (), tuple(complaints.problems), tuple(found))


def _members(archive: zipfile.ZipFile, path: Path) -> Iterator[tuple[str, bytes]]:
    """Yields each table's name and bytes, from zips inside the zip too."""
    for member in archive.infolist():
        name = Path(member.filename)
        if member.file_size > _LARGEST:
            raise SourceError(f"{path}: {member.filename} unpacks to {member.file_size:,} bytes, expected {_LARGEST:,}")
        if name.suffix.lower() == ".zip":
            with zipfile.ZipFile(io.BytesIO(archive.read(member))) as inner:
                yield from _members(inner, path)
        elif name.suffix.lower() == ".csv" and name.stem.lower() in TABLES:
            yield name.stem.lower(), archive.read(member)


def _table(name: str, content: bytes, complaints: Complaints) -> CoverageTable:
    csv.field_size_limit(_LARGEST)  # a determination's text is one field
    reader = csv.DictReader(io.StringIO(decode(content, f"{complaints.file}/{name}.csv")))
    reader.fieldnames = [column.strip().lower() for column in reader.fieldnames or ()]
    columns = TABLES[name]
    if missing := [column for column in columns if column not in reader.fieldnames]:
        raise SourceError(f"{complaints.file}: {name}.csv has no column {missing[0]!r}, expected {', '.join(columns)}")
    rows = []
    for row in reader:
        if all((row.get(column) or "").strip() for column in columns):
            rows.append({column: value.strip() for column, value in row.items() if column and value})
        elif name != "article_related_documents":  # there, an article related to another article is no fault
            complaints.add(reader.line_num, f"a row of {name}.csv lacks {' or '.join(columns)}: skipped")
    return CoverageTable(complaints.file, name, tuple(rows))


def policies(tables: list[CoverageTable]) -> list[tuple[Policy, tuple[CodePattern, ...]]]:
    """Returns the determinations and articles of all tables with the codes that each names, in order of their ids."""
    rows = {name: [row for table in tables if table.name == name for row in table.rows] for name in TABLES}
    codes: dict[str, dict[CodePattern, None]] = {}
    for name, prefix, column in (
        ("lcd_x_hcpc_code", "L", "hcpc_code_id"),
        ("article_x_hcpc_code", "A", "hcpc_code_id"),
        ("article_x_icd10_pcs_code", "A", "icd10_pcs_code_id"),
    ):
        for row in rows[name]:
            identity = prefix + row["lcd_id" if prefix == "L" else "article_id"]
            if (pattern := _pattern(row[column])) is not None:
                codes.setdefault(identity, {})[pattern] = None
    for row in rows["article_related_documents"]:
        codes.setdefault("L" + row["r_lcd_id"], {}).update(codes.get("A" + row["article_id"], {}))
    found = {}
    for name, prefix, page in (("lcd", "L", "lcd.aspx?lcdid="), ("article", "A", "article.aspx?articleid=")):
        for row in rows[name]:
            identity = prefix + row[f"{name}_id"]
            text = _plain(row.get("indication") or row.get("description") or "")
            effective, reviewed = _date(row.get("rev_eff_date", "")), _date(row.get("last_reviewed_on", ""))
            kind = "LCD" if prefix == "L" else "Article"
            url = f"{_URL}{page}{identity[1:]}"
            policy = Policy(clean(row["title"]), PAYER, f"{kind} {identity}", url, effective, reviewed, text)
            if codes.get(identity):
                found[identity] = policy, tuple(codes[identity])
    return [found[identity] for identity in sorted(found)]


def _pattern(code: str) -> CodePattern | None:
    code = code.upper()
    system = CodeSystem.ICD10PCS if len(code) == 7 else CodeSystem.HCPCS if code[:1].isalpha() else CodeSystem.CPT
    return CodePattern(system, code, code) if re.fullmatch(r"[0-9A-Z]{5}|[0-9A-Z]{7}", code) else None


def _plain(text: str) -> str:
    return clean(html.unescape(re.sub(r"<[^>]+>", " ", text)))[:_TEXT]


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text[:10])  # a time may follow
    except ValueError:
        return None
