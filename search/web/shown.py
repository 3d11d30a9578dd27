"""How the pages show things: passages with marks, sections as lists, confidence in words."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markupsafe import Markup, escape

from index.records import CodeKind, CodeSystem, SectionKind
from search.engine import Evidence, Hit
from search.groups import Groups
from search.request import Status

# Sections hold plain text with lists; no other mark-up is understood, and everything else is escaped.
_lists = MarkdownIt("zero", {"breaks": True}).enable(["list", "newline"])

# Characters of a passage that a result shows, and those of them before its first matching word.
SHOWN = 220
_BEFORE = 70

_BULLET = re.compile(r"(?:^|\n *)- ")

# From which probability on a hit is called so: the best word first.
CONFIDENCE = ((0.75, "Very likely"), (0.5, "Likely"), (0.2, "Possible"), (0.0, "Unlikely"))

# Section kinds by names that say what stands there; the others by the heading of a page.
_SECTIONS = {
    SectionKind.SYNONYMS: "Also called",
    SectionKind.THESAURUS: "Common names",
    SectionKind.CHARACTERS: "Meaning of the characters",
    SectionKind.OTHER: "Release data",
}

# What people call the filters, in the order of `search.facets`, and the values of some.
FILTERS = {
    "system": "Code system",
    "group": "Body system or group",
    "section": "Matched in",
    "kind": "Kind of code",
    "status": "Status",
    "on": "Valid on",
    "spelling": "Spelling correction",
}
_VALUES = {
    ("kind", CodeKind.PROCEDURE.value): "Codes to report",
    ("kind", CodeKind.MODIFIER.value): "Modifiers",
    ("kind", CodeKind.HEADER.value): "Headings",
    ("kind", "any"): "All kinds",
    ("status", Status.ACTIVE.value): "Valid on the day",
    ("status", Status.ALL.value): "Past and future too",
}

# Attributes of a query whose names are no everyday words.
ATTRIBUTES = {"laterality": "side", "occurrence": "first or further", "count": "how many"}


def value_label(name: str, value: str, groups: Groups) -> str:
    """Returns what people call a value of a filter; one that is none of ours as it came."""
    if name == "system" and value in set(CodeSystem):
        return CodeSystem(value).label
    if name == "section" and value in set(SectionKind):
        return section_label(SectionKind(value))
    if name == "group":
        return groups.title(value) if value in groups.names else value
    return _VALUES.get((name, value), value)


def section_label(section: SectionKind) -> str:
    """Returns what people call a section."""
    return _SECTIONS.get(section, section.heading)


def confidence(score: float) -> tuple[int, str]:
    """Returns how sure a probability is, 4 (most) to 1, and in words.

    >>> confidence(0.92), confidence(0.05)
    ((4, 'Very likely'), (1, 'Unlikely'))
    """
    level = next(place for place, (least, _) in enumerate(CONFIDENCE) if score >= least)
    return len(CONFIDENCE) - level, CONFIDENCE[level][1]


def excerpt(passage: Evidence) -> Evidence:
    """Returns the passage, cut at words to about `SHOWN` characters where most of its matching words stand.

    Bullets of lists become dots: a result is one paragraph.
    """
    text = _BULLET.sub(
        lambda bullet: "·".center(len(bullet[0])) if bullet.start() else " " * len(bullet[0]), passage.text
    )
    highlights = passage.highlights
    if len(text) <= SHOWN:
        return Evidence(passage.section, text, highlights)
    starts = [max(0, start - _BEFORE) for start, _ in highlights] or [0]
    begin = max(starts, key=lambda at: (sum(at <= start and end <= at + SHOWN for start, end in highlights), -at))
    begin = text.find(" ", begin) + 1 if begin else 0
    last = begin + SHOWN
    cut = text.rfind(" ", begin, last) if last < len(text) else len(text)
    before, after = "… " if begin else "", " …" if cut < len(text) else ""
    shift = len(before) - begin
    kept = tuple((start + shift, end + shift) for start, end in highlights if begin <= start and end <= cut)
    return Evidence(passage.section, before + text[begin:cut] + after, kept)


def marked(passage: Evidence) -> Markup:
    """Returns the passage as safe HTML with its highlights in <mark>."""
    parts, position = [], 0
    for start, end in passage.highlights:
        parts += [escape(passage.text[position:start]), Markup("<mark>{}</mark>").format(passage.text[start:end])]
        position = end
    return Markup("").join([*parts, escape(passage.text[position:])])


def titled(hit: Hit) -> Markup:
    """Returns the title as safe HTML, its matching words marked where it is part of the evidence."""
    title = hit.document.title
    return next((marked(passage) for passage in hit.passages if passage.text == title), escape(title))


def section_html(text: str) -> Markup:
    """Returns a section's text as safe HTML: paragraphs, numbered and bulleted lists."""
    return Markup(_lists.render(text))
