"""The thesaurus: its format, what is complained of, and that the bundled files keep their promises."""

from __future__ import annotations

import os
import re
from collections import defaultdict
from functools import cache
from itertools import combinations
from pathlib import Path

import pytest

from index.phrases import CodeLists, is_exact
from index.records import BUNDLED, PAGE, CodeSystem, Document
from index.sources import SourceError, find, thesaurus
from index.sources import read as read_source
from index.sources.thesaurus import BUNDLED_THESAURUS, Entry, EntryKind, Thesaurus, read
from index.text import tokens

FILES = sorted(BUNDLED_THESAURUS.glob("*.txt"))
RELEASES = os.environ.get("PROCEDURE_SEARCH_RELEASES")


def _read(folder: Path, *lines: str, strict: bool = True) -> tuple[Entry, ...]:
    """The entries of a file with these lines below its first one."""
    path = folder / "words.txt"
    path.write_text("\n".join(["# Thesaurus: a test", *lines]), encoding="utf-8")
    facts = read(path, strict=strict).facts
    assert isinstance(facts, Thesaurus)
    return facts.entries


def test_an_entry_of_codes_keeps_its_patterns_in_order(tmp_path: Path) -> None:
    """Blanks part alternatives, the best first; line 1 is the comment, so this is line 2."""
    (entry,) = _read(tmp_path, "lap chole | lay | icd10pcs | 0FT44ZZ 0FT4[0F].Z |")
    assert entry == Entry(2, "lap chole", EntryKind.LAY, CodeSystem.ICD10PCS, (("0FT44ZZ", "0FT4[0F].Z"),))


def test_a_plus_parts_the_groups_that_a_procedure_needs_together(tmp_path: Path) -> None:
    """Two groups, the second with two alternatives."""
    (entry,) = _read(tmp_path, "T&A | abbreviation | icd10pcs | 0CTPXZZ + 0CTQXZZ 0CTQ0ZZ")
    assert entry.groups == (("0CTPXZZ",), ("0CTQXZZ", "0CTQ0ZZ"))


def test_an_entry_of_words_names_no_code(tmp_path: Path) -> None:
    """What stands behind = are the words; “any” is every system; a fifth column is what else it means."""
    (entry,) = _read(tmp_path, "RT | abbreviation | any | = radiation therapy | respiratory therapy")
    assert (entry.system, entry.groups, entry.words) == (None, (), "radiation therapy")
    assert entry.other == "respiratory therapy"


def test_words_may_hold_in_one_system_only(tmp_path: Path) -> None:
    """A named system stays with its words."""
    (entry,) = _read(tmp_path, "LAD | anatomy | icd10pcs | = coronary artery |")
    assert (entry.system, entry.words) == (CodeSystem.ICD10PCS, "coronary artery")


@pytest.mark.parametrize(
    "pattern", ["0F", "0FT4", "0FT44ZZ", "0FT4[04]ZZ", "0F....Z", "J0178", "E0470-E0472", "[01][0F]"]
)
def test_a_pattern_is_two_to_seven_characters_or_a_range_of_five(tmp_path: Path, pattern: str) -> None:
    """Characters, a choice of them, any one, a beginning of a code, and a range of codes."""
    (entry,) = _read(tmp_path, f"some words | lay | icd10pcs | {pattern}")
    assert entry.groups == ((pattern,),)


def test_comments_and_blank_lines_are_no_entries(tmp_path: Path) -> None:
    """And they are counted: the entry stands in line 5."""
    (entry,) = _read(tmp_path, "", "# phrase | kind", "   ", "chole | lay | icd10pcs | 0FT4")
    assert entry.line == 5


def test_white_space_around_columns_is_nothing(tmp_path: Path) -> None:
    """Tabs, runs of blanks and none at all read alike."""
    tight, loose = _read(tmp_path, "chole|lay|icd10pcs|0FT4|", "\t chole \t|  lay| icd10pcs  |\t0FT4  |  ")
    assert (tight.phrase, tight.groups, tight.other) == (loose.phrase, loose.groups, loose.other)


@pytest.mark.parametrize(
    ("line", "complaint"),
    [
        ("chole | lay | icd10pcs", "got 3 columns, expected phrase | kind | system | meaning | other meaning"),
        ("chole | lay | icd10pcs | 0FT4 | x | y", "got 6 columns, expected phrase | kind | system | meaning | other"),
        (" | lay | icd10pcs | 0FT4", "got phrase '', expected words that are more than stop words"),
        ("BE | abbreviation | any | = enema", "got phrase 'BE', expected words that are more than stop words"),
        ("chole | slang | icd10pcs | 0FT4", "got kind 'slang', expected procedure, eponym, abbreviation, lay, brand"),
        ("chole | lay | snomed | 0FT4", "got system 'snomed', expected cpt, hcpcs, icd10pcs or any"),
        ("chole | lay | any | =", "has no words behind ="),
        ("chole | lay | any | = the", "has no words behind ="),
        ("chole | lay | icd10pcs | 0ft4", "got pattern '0ft4', expected such as 0FT44ZZ, 0SR[9B]0, J0178 or E0470-E"),
        ("chole | lay | icd10pcs | 0FT44ZZX", "got pattern '0FT44ZZX', expected such as"),
        ("chole | lay | icd10pcs | 0FT4[]ZZ", "got pattern '0FT4[]ZZ', expected such as"),
        ("chole | lay | icd10pcs | 0FT4[04ZZ", "got pattern '0FT4[04ZZ', expected such as"),
        ("chole | lay | icd10pcs | 0", "got pattern '0', expected such as"),
        ("chole | lay | hcpcs | E0470-72", "got pattern 'E0470-72', expected such as"),
        ("chole | lay | any | 0FT4", "code patterns need a code system, and a pattern on both sides of +"),
        ("chole | lay | icd10pcs |", "code patterns need a code system, and a pattern on both sides of +"),
        ("chole | lay | icd10pcs | 0FT4 +", "code patterns need a code system, and a pattern on both sides of +"),
    ],
)
def test_a_line_that_is_no_entry_is_told_with_its_number(tmp_path: Path, line: str, complaint: str) -> None:
    """Strict, it ends the reading; else it is a problem, and the other lines are read."""
    with pytest.raises(SourceError, match=re.escape(f"words.txt:2: {complaint}")):
        _read(tmp_path, line, "sacroplasty | procedure | icd10pcs | 0QU13JZ")
    reading = read(tmp_path / "words.txt", strict=False)
    (problem,) = reading.problems
    assert str(problem).startswith(f"words.txt:2: {complaint}")
    assert isinstance(reading.facts, Thesaurus)
    assert [entry.phrase for entry in reading.facts.entries] == ["sacroplasty"]


def test_a_file_without_entries_is_refused(tmp_path: Path) -> None:
    """Comments alone are no thesaurus."""
    with pytest.raises(SourceError, match=r"words\.txt: holds no entry"):
        _read(tmp_path, "# nothing else")


def test_only_a_text_file_that_calls_itself_one_is_a_thesaurus() -> None:
    """By suffix and first line."""
    assert thesaurus.recognise(Path("x.TXT"), b"# Thesaurus: x\n")
    assert not thesaurus.recognise(Path("x.md"), b"# Thesaurus: x\n")
    assert not thesaurus.recognise(Path("x.txt"), b"chole | lay | icd10pcs | 0FT4\n")


def test_a_thesaurus_counts_as_a_page_and_ours_as_bundled(tmp_path: Path) -> None:
    """The release says so, and how many entries were read."""
    _read(tmp_path, "chole | lay | icd10pcs | 0FT4")
    release = read(tmp_path / "words.txt", strict=True).release
    assert (release.system, release.version, release.documents) == ("thesaurus", PAGE, 1)
    assert read(FILES[0], strict=True).release.version == BUNDLED


@cache
def _bundled() -> tuple[tuple[str, Entry], ...]:
    """Every bundled entry, with its file."""
    found: list[tuple[str, Entry]] = []
    for path in FILES:
        facts = read(path, strict=True).facts
        assert isinstance(facts, Thesaurus)
        found += [(path.name, entry) for entry in facts.entries]
    return tuple(found)


def _where(*found: tuple[str, Entry]) -> str:
    return " and ".join(f"{file}:{entry.line} “{entry.phrase}”" for file, entry in found)


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_a_bundled_file_has_no_bad_line(path: Path) -> None:
    """Strict reading succeeds."""
    assert read(path, strict=True).problems == ()


def test_the_bundled_thesaurus_is_large() -> None:
    """At least 8,000 entries."""
    assert len(_bundled()) >= 8000


def test_no_bundled_phrase_means_codes_twice_unless_marked() -> None:
    """In any case of letters, a phrase stands once in a system, or each of its lines says what else it means."""
    held: defaultdict[tuple[CodeSystem | None, str], list[tuple[str, Entry]]] = defaultdict(list)
    for file, entry in _bundled():
        if entry.groups:
            held[entry.system, entry.phrase.casefold()].append((file, entry))
    twice = [found for found in held.values() if len(found) > 1 and not all(entry.other for _, entry in found)]
    assert [_where(*found) for found in twice] == []


def test_no_bundled_entries_contradict_each_other_unless_marked() -> None:
    """Entries that are looked up alike share a code or a word, or both say what else they mean."""
    held: defaultdict[tuple[CodeSystem | None, str], list[tuple[str, Entry]]] = defaultdict(list)
    for file, entry in _bundled():
        looked_up = entry.phrase if is_exact(entry) else " ".join(tokens(entry.phrase))
        held[entry.system, looked_up].append((file, entry))
    contradicting = [
        _where(one, other)
        for found in held.values()
        for one, other in combinations(found, 2)
        if not (one[1].other and other[1].other) and _contradict(one[1], other[1])
    ]
    assert contradicting == []


def _contradict(one: Entry, other: Entry) -> bool:
    """Whether two entries mean disjoint words, or codes of which none is the same; words and codes go together."""
    if one.words and other.words:
        return not set(tokens(one.words)) & set(tokens(other.words))
    mine, theirs = ([pattern for group in entry.groups for pattern in group] for entry in (one, other))
    return bool(mine and theirs) and not any(_overlap(a, b) for a in mine for b in theirs)


def _overlap(a: str, b: str) -> bool:
    """Whether a code could match both patterns; a beginning overlaps what goes on from it."""
    if "-" in a or "-" in b:
        (low, high), (first, last) = ((pattern.split("-") * 2)[:2] for pattern in (a, b))
        return low <= last + "\x7f" and first <= high + "\x7f"
    places = ([part.strip("[]") for part in re.findall(r"\[[^]]+\]|.", pattern)] for pattern in (a, b))
    return all("." in pair or set(pair[0]) & set(pair[1]) for pair in zip(*places, strict=False))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("0FT44ZZ", "0FT4", True),
        ("0FT4[04]ZZ", "0FT4[48]ZZ", True),
        ("0FT4[04]ZZ", "0FT4[38]ZZ", False),
        ("0FT4.ZZ", "0FT47", True),
        ("J0178", "J0177", False),
        ("E0470-E0472", "E0472-E0480", True),
        ("E0470-E0472", "E0473", False),
        ("E0470-E0472", "E047", True),
    ],
)
def test_overlapping_patterns_are_told(a: str, b: str, expected: bool) -> None:
    """The check above is checked: either way round."""
    assert (_overlap(a, b), _overlap(b, a)) == (expected, expected)


@pytest.mark.skipif(not RELEASES, reason="PROCEDURE_SEARCH_RELEASES names no folder of real releases")
def test_every_bundled_pattern_matches_a_code_of_the_newest_release() -> None:
    """A pattern that matches nothing is a slip of the pen, or a code that is gone."""
    newest: dict[str, tuple[str, tuple[Document, ...]]] = {}
    for path in find([Path(RELEASES or "")])[0]:
        reading = read_source(path, strict=False)
        system, version = reading.release.system, reading.release.version
        if reading.documents and not reading.release.is_page and version >= newest.get(system, ("", ()))[0]:
            newest[system] = (version, reading.documents)
    codes = CodeLists([document for _, documents in newest.values() for document in documents])
    unmatched = [
        f"{_where((file, entry))}: {pattern}"
        for file, entry in _bundled()
        if entry.system is not None and codes.holds(entry.system)
        for group in entry.groups
        for pattern in group
        if not codes.matching(entry.system, pattern)
    ]
    assert newest, f"{RELEASES}: holds no release"
    assert unmatched == []
