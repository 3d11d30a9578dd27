"""The alphabetic index of ICD-10-PCS: the terms that clinicians use, and where each leads."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from index.records import CodeSystem, Release
from index.sources.reading import Complaints, Reading, SourceError, sha256
from index.sources.xml import clean_term, parse, text, version

_ROOT = "ICD10PCS.index"
_LEADS = ("codes", "code", "tab")
_CODE = 7  # characters of a whole code

# "see Excision with qualifier Diagnostic" leads only to codes whose last character says so.
_DIAGNOSTIC = " with qualifier Diagnostic"

# What a reference adds to the name of the main term that it means: "Occlusion using Extraluminal Device".
_ADDITION = re.compile(r" (?:using|with|of|for) .*")


@dataclass(frozen=True, slots=True)
class IndexTerm:
    """A term, its parts joined by commas, and the beginnings of the codes that it leads to, ascending.

    A dot stands for any character: "0FB4..X" leads to the diagnostic codes that begin with 0FB4.
    """

    text: str
    prefixes: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Use:
    """A term for which a value's label is used: "Celiac ganglion", use "Abdominal Sympathetic Nerve".

    `label` may end in " in …", as those of device terms do; `table` names a table where the index does.
    """

    text: str
    label: str
    table: str = ""


@dataclass(frozen=True, slots=True)
class Index:
    """The index of a fiscal year."""

    file: str
    year: str
    terms: tuple[IndexTerm, ...]
    uses: tuple[Use, ...]


def recognise(path: Path, head: bytes) -> bool:
    """Returns whether the file is the index; `head` is how it begins."""
    return f"<{_ROOT}".encode() in head


def read(path: Path, *, strict: bool) -> Reading:
    """Returns the index of a fiscal year, "see" followed to the codes it ends at.

    Raises:
        SourceError: it is no whole index file, or (`strict`) has a term that leads nowhere.
    """
    root = parse(path, _ROOT)
    year = version(root, path)
    complaints = Complaints(path.name, strict=strict)
    mains = {text(main, "title"): main for main in root.iter("mainTerm")}
    prefixes: dict[str, set[str]] = {}
    uses: dict[Use, None] = {}
    for main in root.iter("mainTerm"):
        for name, element in _walk(main, ""):
            for use in element.iterfind("use"):
                uses[_use(name, use)] = None
            found = _own(element) | {
                prefix for see in element.iterfind("see") for prefix in _follow(see, mains, frozenset(), complaints)
            }
            if found:
                prefixes.setdefault(name, set()).update(found)
    if not prefixes:
        raise SourceError(f"{path}: holds no term that leads to a code")
    terms = tuple(IndexTerm(name, tuple(sorted(found))) for name, found in prefixes.items())
    release = Release(CodeSystem.ICD10PCS, year, path.name, sha256(path), len(terms))
    return Reading(release, (), tuple(complaints.problems), Index(path.name, year, terms, tuple(uses)))


def _walk(element: Any, above: str) -> Iterator[tuple[str, Any]]:
    """Yields the element and every term below it with their names; a term without a title has that above it."""
    title = clean_term(text(element, "title"))
    name = ", ".join(filter(None, (above, title)))
    yield name, element
    for term in element.iterfind("term"):
        yield from _walk(term, name)


def _own(element: Any) -> set[str]:
    return {(lead.text or "").strip() for tag in _LEADS for lead in element.iterfind(tag) if (lead.text or "").strip()}


def _use(name: str, element: Any) -> Use:
    label = clean_term(element.text or "")
    return Use(name, label.removesuffix(" in"), text(element, "tab"))


def _follow(see: Any, mains: dict[str, Any], seen: frozenset[str], complaints: Complaints) -> set[str]:
    """Returns the beginnings of codes that a reference leads to: its own, else all below the term it names."""
    if found := _own(see):
        return found
    name = " ".join((see.text or "").split())
    target = _target(name, mains)
    if target is None:
        complaints.add(see.sourceline, f"“see {name}” leads nowhere: no such term")
        return set()
    if name in seen:
        return set()
    for _, element in _walk(target, ""):
        found |= _own(element)
        for further in element.iterfind("see"):
            found |= _follow(further, mains, seen | {name}, complaints)
    if name.endswith(_DIAGNOSTIC):
        return {prefix if len(prefix) == _CODE else f"{prefix:.<{_CODE - 1}}X" for prefix in found}
    return found


def _target(name: str, mains: dict[str, Any]) -> Any:
    """Returns the term that a reference names: "Fluoroscopy, Artery" is the term Artery below Fluoroscopy."""
    if name in mains:
        return mains[name]
    main, *below = _ADDITION.sub("", name).split(", ")
    target = mains.get(main)
    for part in below:
        terms = target.iterfind("term") if target is not None else ()
        target = next((term for term in terms if text(term, "title") == part), target)
    return target
