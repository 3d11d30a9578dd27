"""What the index holds of codes, apart from search: documents, hierarchy, policies, changes."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import takewhile

from index.records import Change, CodeKind, CodeSystem, Document, Policy
from index.snapshot import Snapshot
from search.errors import InvalidParameter, UnknownCode, UnknownRelease
from search.query import squeeze_code
from search.request import MAX_LIMIT, parse_system


class Catalogue:
    """Looks things up in one snapshot."""

    def __init__(self, snapshot: Snapshot) -> None:
        self.snapshot = snapshot

    def policies(self, names: Sequence[str]) -> list[tuple[Policy, list[Document]]]:
        """Returns the policies of codes named "system:code", each with the codes among them that it names.

        In order of payer, number and title.

        Raises:
            InvalidParameter: a name is not of that form, or there are more than `MAX_LIMIT`.
            UnknownSystem, UnknownCode: as for `document`.
        """
        if len(names) > MAX_LIMIT:
            raise InvalidParameter(f"codes: got {len(names)}, expected at most {MAX_LIMIT}")
        found: dict[Policy, list[Document]] = {}
        for name in dict.fromkeys(names):
            system, separator, code = name.partition(":")
            if not separator:
                raise InvalidParameter(f"codes: got {name[:40]!r}, expected such as cpt:0201T")
            document = self.snapshot.documents.brief(self.position(parse_system(system), code))
            for policy in document.policies:
                found.setdefault(policy, []).append(document)
        return sorted(found.items(), key=lambda entry: (entry[0].payer, entry[0].policy_id, entry[0].title))

    def changes(self, system: str, after: str, until: str) -> list[tuple[Document, Change]]:
        """Returns what the releases after one, up to another, did to codes of a system, by release, then code.

        Raises:
            UnknownSystem: the system is none of ours.
            UnknownRelease: the snapshot was not built from one of the releases.
        """
        parsed = parse_system(system)
        listed = {release.version for release in self.snapshot.manifest.releases if release.system == parsed}
        for version in (after, until):
            if version not in listed:
                known = ", ".join(sorted(listed)) or "none"
                raise UnknownRelease(f"{parsed.label} has no release {version[:20]!r} in this index, only {known}")
        found = [
            (document, change)
            for position in self.snapshot.documents.changed.tolist()
            if (document := self.snapshot.documents.brief(position)).system is parsed
            for change in document.history
            if after < change.release <= until
        ]
        return sorted(found, key=lambda entry: (entry[1].release, entry[0].code))

    def hierarchy(self, document: Document) -> list[Document]:
        """Returns the headers above an ICD-10-PCS code, from section to table; none elsewhere."""
        above = range(1, min(len(document.code), 4)) if document.system is CodeSystem.ICD10PCS else ()
        positions = (self.snapshot.documents.find(document.system, document.code[:length]) for length in above)
        return [self.snapshot.documents.brief(position) for position in positions if position is not None]

    def children(self, document: Document) -> list[Document]:
        """Returns what stands directly below a header: headers one character longer, or a table's codes."""
        if document.kind is not CodeKind.HEADER:
            return []
        length = len(document.code) + 1 if len(document.code) < 3 else 7
        below = self.snapshot.documents.starting_with(document.system, document.code)
        return [child for position in below if len((child := self.snapshot.documents.brief(position)).code) == length]

    def neighbours(self, document: Document) -> tuple[Document | None, Document | None]:
        """Returns the codes of the same system and kind before and after this one, None where there is none."""
        documents = self.snapshot.documents
        position = self.position(document.system, document.code)
        before = (documents.brief(other) for other in range(position - 1, -1, -1))
        after = (documents.brief(other) for other in range(position + 1, len(documents)))
        return _first_like(document, before), _first_like(document, after)

    def document(self, system: str, code: str) -> Document:
        """Returns the document of one code, typed in any case and with stray spaces.

        Raises:
            UnknownSystem: the system is none of ours.
            UnknownCode: the snapshot has no such code.
        """
        return self.snapshot.documents[self.position(parse_system(system), code)]

    def position(self, system: CodeSystem, code: str) -> int:
        """Returns the position of a code's document.

        Raises:
            UnknownCode: the snapshot has no such code.
        """
        position = self.snapshot.documents.find(system, squeeze_code(code))
        if position is None:
            raise UnknownCode(f"{system.label} has no code {squeeze_code(code)[:20]!r} in this index")
        return position


def _first_like(document: Document, others: Iterable[Document]) -> Document | None:
    """Returns the first of the same kind, as far as the documents are of the same system."""
    same = takewhile(lambda other: other.system is document.system, others)
    return next((other for other in same if other.kind is document.kind), None)
