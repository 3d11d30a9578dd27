"""The records that flow through a build: frozen, and the same for every code system.

A release file becomes `Document`s (one per code), a document's texts become `Section`s, and equal
section texts of one code system become one `Passage` that all their codes share.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from enum import StrEnum

# Versions of sources that are procedure pages: the project's own, and a user's.
BUNDLED = "bundled"
PAGE = "page"

# The source of synonyms that the thesaurus gives.
THESAURUS = "thesaurus"


class CodeSystem(StrEnum):
    """A code system, by the name that requests and files use for it."""

    CPT = "cpt"
    HCPCS = "hcpcs"
    ICD10PCS = "icd10pcs"

    @property
    def label(self) -> str:
        """The name that people read."""
        return {"cpt": "CPT", "hcpcs": "HCPCS Level II", "icd10pcs": "ICD-10-PCS"}[self.value]


class CodeKind(StrEnum):
    """What a code is for: reporting a procedure, changing another code, or heading a table."""

    PROCEDURE = "procedure"
    MODIFIER = "modifier"
    HEADER = "header"


class SectionKind(StrEnum):
    """Where in a document a text stands; `OTHER` keeps a heading that we do not know."""

    TITLE = "title"
    SYNONYMS = "synonyms"
    THESAURUS = "thesaurus"
    NAME = "name"
    SUMMARY = "summary"
    PURPOSE = "purpose"
    INDICATIONS = "indications"
    PREPARATION = "preparation"
    DESCRIPTION = "description"
    DURATION = "duration"
    SETTING = "setting"
    PERSONNEL = "personnel"
    RISKS = "risks"
    BENEFITS = "benefits"
    RECOVERY = "recovery"
    ALTERNATIVES = "alternatives"
    EXPERIENCE = "experience"
    POLICIES = "policies"
    CHARACTERS = "characters"
    OTHER = "other"

    @property
    def heading(self) -> str:
        """The heading that a procedure page gives this section."""
        return _HEADINGS.get(self, self.value.capitalize())


_HEADINGS = {
    SectionKind.NAME: "Name of the Procedure",
    SectionKind.DESCRIPTION: "Procedure Description",
    SectionKind.RISKS: "Risks and Complications",
    SectionKind.EXPERIENCE: "Patient Experience",
    SectionKind.POLICIES: "Medical Policies and Guidelines",
}


@dataclass(frozen=True, slots=True)
class Section:
    """One titled text of a document; lists keep one item per line (`- `, `1. `, two spaces a level)."""

    kind: SectionKind
    heading: str
    text: str


@dataclass(frozen=True, slots=True)
class Synonym:
    """Another name of a code, and which source gives it ("page", "index 2025")."""

    text: str
    source: str


@dataclass(frozen=True, slots=True)
class Character:
    """One character of an ICD-10-PCS code: which axis it is on, and what its value stands for.

    `definition` and `explanation` are the release's, empty where it gives none; `includes` are the
    terms that the value also stands for. Codes that share a value share one record.
    """

    axis: str
    value: str
    label: str
    definition: str = ""
    explanation: str = ""
    includes: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Attribute:
    """A labelled fact of a release about a code; `meaning` spells the value out, where that is known."""

    label: str
    value: str
    meaning: str = ""


class Action(StrEnum):
    """What a release did to a code."""

    ADDED = "added"
    REVISED = "revised"
    DELETED = "deleted"


@dataclass(frozen=True, slots=True)
class Change:
    """What a release did to a code, from when, and the title that it had before (empty when added)."""

    action: Action
    release: str
    effective: date | None
    title_before: str = ""


@dataclass(frozen=True, slots=True)
class Policy:
    """A payer's coverage policy that names a code; any part but the title may be empty."""

    title: str
    payer: str = ""
    policy_id: str = ""
    url: str = ""
    effective: date | None = None
    reviewed: date | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Document:
    """Everything one source, or all of them merged, says of one code.

    `title` is the descriptor, `short_title` the release's abbreviated one (or empty). `similar`
    holds the codes that a page itself lists as similar. `effective` is the first day on which the code
    is valid, `terminated` the last one; None where no source says.
    `sources` names where the content was taken from or checked.
    """

    system: CodeSystem
    code: str
    title: str
    kind: CodeKind = CodeKind.PROCEDURE
    short_title: str = ""
    sections: tuple[Section, ...] = ()
    synonyms: tuple[Synonym, ...] = ()
    characters: tuple[Character, ...] = ()
    attributes: tuple[Attribute, ...] = ()
    policies: tuple[Policy, ...] = ()
    similar: tuple[str, ...] = ()
    history: tuple[Change, ...] = ()
    effective: date | None = None
    terminated: date | None = None
    sources: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Passage:
    """One searchable text and the codes it speaks for.

    Unique by (`system`, `kind`, `section`, `text`). `documents` are positions in the build's document
    list, ascending.
    """

    system: CodeSystem
    kind: CodeKind
    section: SectionKind
    text: str
    documents: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """One source that a snapshot was built from.

    `version` is as the source names itself: a fiscal year ("2026"), a quarter ("2026-01"), or
    `BUNDLED` or `PAGE` for procedure pages; empty where it names none. `documents` counts what was taken
    from it. `notice` is the licence notice that must be shown with it.
    """

    system: str
    version: str
    file: str
    sha256: str
    documents: int
    notice: str = ""

    @property
    def is_page(self) -> bool:
        """Whether this is a procedure page, which describes a code, and no release, which lists them."""
        return self.version in (BUNDLED, PAGE)
