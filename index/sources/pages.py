"""Procedure pages: the sectioned plain text of a code page, and the project's own Markdown form."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import yaml

from index.records import (
    BUNDLED,
    PAGE,
    CodeSystem,
    Document,
    Policy,
    Release,
    Section,
    SectionKind,
    Synonym,
)
from index.sources.reading import Complaints, Reading, SourceError, decode, sha256
from index.text import clean

BUNDLED_CORPUS = Path(__file__).resolve().parent.parent / "corpus"

# Headings as pages write them, lower case, to the kind of section.
KNOWN_HEADINGS = {kind.heading.lower(): kind for kind in SectionKind if kind is not SectionKind.OTHER} | {
    "risks": SectionKind.RISKS,
    "complications": SectionKind.RISKS,
    "description": SectionKind.DESCRIPTION,
    "related policies from health plans": SectionKind.POLICIES,
}

_SIMILAR = "similar codes"
_FURNITURE = frozenset({"search all medical codes"})
_POLICY_HEADING = re.compile(r"medical policies and guidelines( for .*)?", re.IGNORECASE)
_SYSTEM_LINE = re.compile(
    r"(cpt4?|hcpcs(?: level ii)?|icd-?10-?pcs) code:?\s*([0-9A-Z]{5}|[0-9A-Z]{7})?", re.IGNORECASE
)
_SYSTEMS = {"c": CodeSystem.CPT, "h": CodeSystem.HCPCS, "i": CodeSystem.ICD10PCS}
_FILE_CODES = {
    CodeSystem.CPT: re.compile(r"(?:cpt-)?([0-9]{4}[0-9A-Z])", re.IGNORECASE),
    CodeSystem.HCPCS: re.compile(r"(?:hcpcs-)?([A-Z][0-9]{4})", re.IGNORECASE),
    # "surgery" has the shape of a code too: without the system before it, a code must have a digit.
    CodeSystem.ICD10PCS: re.compile(r"(?:icd10pcs-|(?=.*[0-9]))([0-9A-HJ-NP-Z]{7})", re.IGNORECASE),
}
_CODE_TOKEN = re.compile(r"\b(?=\w*[0-9])([0-9A-Z]{7}|[0-9A-Z]{5})\b")

# A heading that is not known: a short line on its own, in title case or not, that ends no sentence.
_UNKNOWN_HEADING = re.compile(r"[A-Z][^.!?;,:]{1,58}:?")
_MOST_HEADING_WORDS = 8

_LIST_ITEM = re.compile(r"(\s*)(?:[•*◦▪-]|([0-9]{1,3})[.)])\s+(.*)")


def recognise(path: Path, head: bytes) -> bool:
    """Returns whether the file is a procedure page; `head` is how it begins."""
    if path.suffix.lower() == ".md":
        return head.startswith((b"---\n", b"---\r\n"))
    text = head.decode("utf-8", "replace")
    return path.suffix.lower() == ".txt" and any(_SYSTEM_LINE.fullmatch(line.strip()) for line in text.splitlines())


def read(path: Path, *, strict: bool) -> Reading:
    """Returns the one document of a page; its code is empty where neither the page nor the file's name tells it.

    Raises:
        SourceError: the page lacks what a page must have, or (`strict`) has something odd.
    """
    complaints = Complaints(path.name, strict=strict)
    text = decode(path.read_bytes(), str(path))
    document = (_markdown if path.suffix.lower() == ".md" else _text)(text, path, complaints)
    version = BUNDLED if path.resolve().parent == BUNDLED_CORPUS else PAGE
    release = Release(document.system, version, path.name, sha256(path), 1)
    return Reading(release, (document,), tuple(complaints.problems))


def _text(text: str, path: Path, complaints: Complaints) -> Document:
    """Reads a page as a medical-code site shows it: title, "… code" line, then headings with their texts."""
    rows = [line.rstrip() for line in text.splitlines()]
    title, system, code, start = "", None, "", 0
    for position, row in enumerate(rows):
        if found := _SYSTEM_LINE.fullmatch(row.strip()):
            system, code, start = _SYSTEMS[found[1][0].lower()], (found[2] or "").upper(), position + 1
            break
        if row.strip() and row.strip().lower() not in _FURNITURE and not title:
            title = clean(row)
    if system is None or not title:
        raise SourceError(f"{path}: has no title before its “CPT4 code” line")
    named = _FILE_CODES[system].fullmatch(path.stem)
    sections: list[Section] = []
    policies: list[Policy] = []
    similar: list[str] = []
    for heading, body in _parts(rows, start, complaints):
        if heading.lower() == _SIMILAR:
            similar = list(dict.fromkeys(_CODE_TOKEN.findall("\n".join(body))))
        elif _POLICY_HEADING.fullmatch(heading):
            listed = (item[3] if (item := _LIST_ITEM.fullmatch(row)) else row.strip() for row in body)
            policies = [Policy(clean(row)) for row in listed if row and not _is_known(row)]
        elif section := _section(heading, _lists(body)):
            sections.append(section)
    if not sections:
        raise SourceError(f"{path}: has no section with a text")
    return Document(
        system,
        code or (named[1].upper() if named else ""),
        title,
        sections=tuple(sections),
        policies=tuple(policies),
        similar=tuple(similar),
    )


def _parts(rows: Sequence[str], start: int, complaints: Complaints) -> Iterator[tuple[str, list[str]]]:
    """Yields each heading with the lines below it, line breaks inside lists and paragraphs as they stand."""
    heading, body = "", list[str]()
    for position in range(start, len(rows)):
        row = rows[position]
        if row.strip().lower() in _FURNITURE:
            continue
        if _is_heading(row) or (_may_end(heading, body) and _is_unknown_heading(rows, position)):
            if heading:
                yield heading, body
            heading, body = row.strip().removesuffix(":"), []
        elif heading:
            body.append(row)
        elif row.strip():
            complaints.add(position + 1, "stands before the first heading: left out")
    if heading:
        yield heading, body


def _is_known(row: str) -> bool:
    name = row.strip().removesuffix(":").lower()
    return name in KNOWN_HEADINGS or name == _SIMILAR or bool(_POLICY_HEADING.fullmatch(name))


def _is_heading(row: str) -> bool:
    is_line_of_policies = row.removesuffix(":").lower() == "related policies from health plans"
    return row == row.lstrip() and _is_known(row) and not is_line_of_policies


def _may_end(heading: str, body: Sequence[str]) -> bool:
    """Whether a heading that is not known may follow: a short line right below a heading is its text, or a policy."""
    listing = heading.lower() == _SIMILAR or _POLICY_HEADING.fullmatch(heading)
    return not heading or (not listing and any(row.strip() for row in body))


def _is_unknown_heading(rows: Sequence[str], position: int) -> bool:
    """Whether a line is short, on its own, and has a text below it."""
    row = rows[position]
    alone = not any(
        near.strip() for near in (*rows[max(position - 1, 0) : position], *rows[position + 1 : position + 2])
    )
    below = next((later for later in rows[position + 1 :] if later.strip()), "")
    told = bool(below) and not _is_heading(below)
    return alone and told and bool(_UNKNOWN_HEADING.fullmatch(row)) and len(row.split()) <= _MOST_HEADING_WORDS


def _lists(rows: Sequence[str]) -> str:
    """Returns the lines, lists in one form (`- `, `1. `, two spaces a level), blank lines only before paragraphs."""
    out: list[str] = []
    indents: list[int] = []
    for row in rows:
        item = _LIST_ITEM.fullmatch(row)
        if item is None:
            if row.strip():
                indents = []
                out.append(clean(row))
            elif out and out[-1]:
                out.append("")
            continue
        indent = len(item[1].expandtabs(4))
        while indents and indents[-1] > indent:
            indents.pop()
        if not indents or indents[-1] < indent:
            indents.append(indent)
        if out and not out[-1]:
            out.pop()
        mark = f"{item[2]}." if item[2] else "-"
        out.append(f"{'  ' * (len(indents) - 1)}{mark} {clean(item[3])}")
    return "\n".join(out).strip()


def _section(heading: str, text: str) -> Section | None:
    if not text:
        return None
    kind = KNOWN_HEADINGS.get(heading.lower(), SectionKind.OTHER)
    return Section(kind, heading if kind is SectionKind.OTHER else kind.heading, text)


def _markdown(text: str, path: Path, complaints: Complaints) -> Document:
    """Reads the project's own form: YAML front matter, then a level-2 heading for each section."""
    parts = re.split(r"^---[ \t\r]*$", text, maxsplit=2, flags=re.MULTILINE)
    if len(parts) != 3 or parts[0].strip():
        raise SourceError(f"{path}:1: expected front matter between two lines of “---”")
    try:
        front = yaml.safe_load(parts[1])
    except (yaml.YAMLError, ValueError) as error:  # a ValueError tells of a date that is none
        mark = getattr(error, "problem_mark", None)
        raise SourceError(f"{path}:{mark.line + 1 if mark else 1}: front matter is no YAML: {error}") from error
    fields = _front_matter(front, path)
    first_line = text[: len(text) - len(parts[2])].count("\n") + 1
    sections: list[Section] = []
    heading, line, body = "", 0, list[str]()
    for number, row in [*enumerate(parts[2].splitlines(), start=first_line), (0, "## ")]:
        if row.startswith("## "):
            if heading and (section := _section(heading, _lists(body))):
                sections.append(section)
            elif heading:
                complaints.add(line, f"section {heading!r} is empty: left out")
            heading, line, body = row[3:].strip(), number, []
        elif heading:
            body.append(row)
        elif row.strip():
            complaints.add(number, "stands before the first heading: left out")
    if not sections:
        raise SourceError(f"{path}: has no “## ” section with a text")
    return Document(sections=tuple(sections), **fields)


def _front_matter(front: Any, path: Path) -> dict[str, Any]:
    """Returns the front matter as a document's fields.

    Raises:
        SourceError: a field is missing, unknown, or not of its form.
    """
    known = ("system", "code", "title", "synonyms", "policies", "similar", "sources")
    if not isinstance(front, Mapping) or not {"system", "code", "title"} <= front.keys():
        raise SourceError(f"{path}: front matter must hold system, code and title")
    if unknown := front.keys() - set(known):
        raise SourceError(f"{path}: front matter has {min(map(str, unknown))!r}, expected only {', '.join(known)}")
    try:
        system = CodeSystem(front["system"])
    except ValueError:
        raise SourceError(f"{path}: got system {front['system']!r}, expected cpt, hcpcs or icd10pcs") from None
    for name in ("code", "title"):
        if not isinstance(front[name], str) or not front[name].strip():
            raise SourceError(f"{path}: got {name} {front[name]!r}, expected a text (quote a code of digits)")
    for name in ("synonyms", "similar", "sources"):
        listed = front.get(name) or []
        if not isinstance(listed, list) or not all(isinstance(entry, str) for entry in listed):
            raise SourceError(f"{path}: {name} must be a list of texts (quote codes of digits)")
    try:
        policies = tuple(
            Policy(entry["title"], entry.get("payer") or "", entry.get("policy_id") or "", entry.get("url") or "")
            for entry in front.get("policies") or ()
        )
        told = [text for policy in policies for text in (policy.title, policy.payer, policy.policy_id, policy.url)]
        if not all(isinstance(text, str) for text in told):
            raise TypeError
    except (TypeError, KeyError, AttributeError):
        raise SourceError(
            f"{path}: policies must be a list of entries with at least a title, all texts (quote an id of digits)"
        ) from None
    synonyms, similar, sources = (
        tuple(map(clean, front.get(name) or ())) for name in ("synonyms", "similar", "sources")
    )
    return {
        "system": system,
        "code": front["code"].strip().upper(),
        "title": clean(front["title"]),
        "synonyms": tuple(Synonym(text, PAGE) for text in synonyms),
        "policies": policies,
        "similar": similar,
        "sources": sources,
    }
