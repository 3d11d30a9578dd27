"""Documents to passages: equal texts become one passage that many codes share."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from index.records import THESAURUS, Character, CodeKind, CodeSystem, Document, Passage, SectionKind

# Characters. The bundled encoder reads 256 word pieces, about 1,100 characters of clinical English;
# what lies beyond would be stored and never embedded.
MAX_CHARACTERS = 1000

# A passage that speaks for more codes than this tells none of them from the others (what "percutaneous"
# means, what a root operation is): it is searched only when its section is asked for.
MOST_SHARED = 400


def make_passages(documents: Sequence[Document]) -> list[Passage]:
    """Returns the unique passages of all documents, in order of first appearance."""
    owners: defaultdict[tuple[CodeSystem, CodeKind, SectionKind, str], list[int]] = defaultdict(list)
    for position, document in enumerate(documents):
        for section, text in dict.fromkeys(_texts(document)):
            owners[document.system, document.kind, section, text].append(position)
    return [Passage(*key, tuple(held)) for key, held in owners.items()]


def _texts(document: Document) -> Iterator[tuple[SectionKind, str]]:
    yield SectionKind.TITLE, document.title
    for synonym in document.synonyms:
        yield SectionKind.THESAURUS if synonym.source == THESAURUS else SectionKind.SYNONYMS, synonym.text
    for section in document.sections:
        for piece in split(section.text):
            yield section.kind, piece
    for policy in document.policies:
        for piece in split(f"{policy.title}. {policy.text}".removesuffix(". ")):
            yield SectionKind.POLICIES, piece
    for character in document.characters:
        for piece in split(character_text(character)):
            yield SectionKind.CHARACTERS, piece


def character_text(character: Character) -> str:
    """Returns what a character stands for, as one text.

    >>> character_text(Character("Body Part", "1", "Sacrum", includes=("Sacral bone",)))
    'Sacrum: Sacral bone'
    """
    told = ". ".join(part.rstrip(".") for part in (character.definition, character.explanation) if part)
    listed = "; ".join(character.includes)
    return f"{character.label}: {'. '.join(part for part in (told, listed) if part)}".removesuffix(": ")


def split(text: str) -> list[str]:
    """Returns the text in pieces of at most `MAX_CHARACTERS`, cut between lines, else sentences, else words.

    >>> split("- one\\n- two")
    ['- one\\n- two']
    >>> [len(piece) for piece in split("word " * 300)]
    [999, 499]
    """
    if len(text) <= MAX_CHARACTERS:
        return [text] if text.strip() else []
    head = text[: MAX_CHARACTERS + 1]
    cut = max(head.rfind("\n"), 0) or max(head.rfind(". ") + 1, 0) or max(head.rfind(" "), 0) or MAX_CHARACTERS
    return [piece for piece in (text[:cut].strip(), *split(text[cut:].strip())) if piece]
