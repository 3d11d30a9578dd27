"""The ICD-10-PCS order file of CMS: every valid code and every header, as the zip or as the text inside it."""

from __future__ import annotations

import re
import zipfile
import zlib
from pathlib import Path

from index.records import CodeKind, CodeSystem, Document, Release
from index.sources.reading import Complaints, Reading, SourceError, decode, lines, sha256

# Columns of a line, counted from 0; the long title goes on to the line's end.
_ORDER, _CODE, _FLAG, _SHORT, _LONG = slice(0, 5), slice(6, 13), 14, slice(16, 76), slice(77, None)

_ROW = re.compile(r"[0-9]{5} [0-9A-HJ-NP-Z]{3,7} +[01] \S")
_CODE_SHAPE = re.compile(r"[0-9A-HJ-NP-Z]{7}")
_HEADER_SHAPE = re.compile(r"[0-9A-HJ-NP-Z]{3}")
_MEMBER = re.compile(r"(?:.*/)?icd10pcs_order_([0-9]{4})\.txt", re.IGNORECASE)

# Bytes. The order file of FY2026 has 12 MB; a zip that unpacks to much more is not it.
_LARGEST = 100_000_000


def recognise(path: Path, head: bytes) -> bool:
    """Returns whether the file is an order file or a zip that holds one; `head` is how it begins."""
    if head.startswith(b"PK"):
        try:
            with zipfile.ZipFile(path) as archive:
                return any(_MEMBER.fullmatch(name) for name in archive.namelist())
        except zipfile.BadZipFile:
            return "icd-10-pcs-order" in path.name.lower()  # `read` says what is wrong with it
    return bool(_MEMBER.fullmatch(path.name)) or bool(_ROW.match(head[:80].decode("ascii", "replace")))


def read(path: Path, *, strict: bool) -> Reading:
    """Returns the documents of an order file, codes as procedures and the others as headers.

    Raises:
        SourceError: it is no order file, is damaged, does not name its year, or (`strict`) has a bad row.
    """
    name, content = _content(path)
    member = _MEMBER.fullmatch(name)
    if member is None:
        raise SourceError(f"{path}: its name tells no fiscal year: expected icd10pcs_order_YYYY.txt")
    complaints = Complaints(path.name if path.name == name else f"{path.name}/{name}", strict=strict)
    documents: dict[str, Document] = {}
    for number, line in lines(decode(content, complaints.file)):
        if complaint := _complaint(line, documents):
            complaints.add(number, complaint)
            continue
        code = line[_CODE].strip()
        documents[code] = Document(
            CodeSystem.ICD10PCS,
            code,
            line[_LONG].strip(),
            CodeKind.PROCEDURE if line[_FLAG] == "1" else CodeKind.HEADER,
            line[_SHORT].strip(),
        )
    if not documents:
        raise SourceError(f"{complaints.file}: holds no row of an order file")
    release = Release(CodeSystem.ICD10PCS, member[1], path.name, sha256(path), len(documents))
    return Reading(release, tuple(documents.values()), tuple(complaints.problems))


def _content(path: Path) -> tuple[str, bytes]:
    """Returns the order file's name and bytes, unpacked where the path is a zip."""
    if not zipfile.is_zipfile(path):
        content = path.read_bytes()
        if content.startswith(b"PK"):
            raise SourceError(f"{path}: is a damaged or truncated zip: expected it whole, as CMS publishes it")
        return path.name, content
    try:
        with zipfile.ZipFile(path) as archive:
            for member in archive.infolist():
                if _MEMBER.fullmatch(member.filename):
                    if member.file_size > _LARGEST:
                        raise SourceError(
                            f"{path}: {member.filename} unpacks to {member.file_size:,} bytes,"
                            f" expected at most {_LARGEST:,}"
                        )
                    return Path(member.filename).name, archive.read(member)
    except (zipfile.BadZipFile, zlib.error, RuntimeError, EOFError, OSError) as error:  # RuntimeError: encrypted
        raise SourceError(f"{path}: is a damaged zip: {error}") from error
    raise SourceError(f"{path}: holds no icd10pcs_order_YYYY.txt")


def _complaint(line: str, documents: dict[str, Document]) -> str:
    """Returns what is wrong with a row, or nothing."""
    code, flag = line[_CODE].strip(), line[_FLAG : _FLAG + 1]
    if not line[_ORDER].isdigit():
        return f"got order number {line[_ORDER]!r}, expected five digits"
    if flag not in ("0", "1"):
        return f"got flag {flag!r} in column 15, expected 0 (header) or 1 (code)"
    if not (_CODE_SHAPE if flag == "1" else _HEADER_SHAPE).fullmatch(code):
        return f"got code {code!r}, expected {7 if flag == '1' else 3} characters of 0-9, A-H, J-N, P-Z"
    if not line[_LONG].strip():
        return f"{code} has no long title in column 78"
    if code in documents:
        return f"{code} stands twice: its first row is kept"
    return ""
