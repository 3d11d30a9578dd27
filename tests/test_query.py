"""What a query is understood as, over the words and names of the bundled corpus and the small releases."""

from __future__ import annotations

from dataclasses import replace

import pytest

from index.attributes import NAMES
from index.build import Report
from index.records import THESAURUS, CodeSystem
from index.snapshot import open_snapshot
from index.text import tokens
from search.engine import SearchEngine
from search.narrative import LEAST_WORDS, reduced
from search.query import Query, Step, squeeze_code, understand

NOTE = (
    "Patient is a 70 year old woman with a history of gallstones and biliary colic. After induction of anesthesia four"
    " ports were placed. The gallbladder was removed laparoscopically. She tolerated the procedure well, and was"
    " discharged home in stable condition."
)


@pytest.fixture(scope="module")
def engine(built: Report) -> SearchEngine:
    """An engine over the built snapshot."""
    return SearchEngine(open_snapshot(built.folder))


def _steps(query: Query, kind: str) -> list[tuple[str, str]]:
    """What was found by steps of a kind, and what it is taken for."""
    return [(step.found, step.meaning) for step in query.steps if step.kind == kind]


# --- codes ---


@pytest.mark.parametrize(
    ("typed", "literal"),
    [
        ("0FT44ZZ", "0FT44ZZ"),
        ("0ft44zz", "0FT44ZZ"),
        (" 0FT4-4ZZ ", "0FT44ZZ"),
        ("0FT4 4ZZ", "0FT44ZZ"),
        ("0qu1\u20113jz", "0QU13JZ"),  # a hyphen that does not break
        ("0201T", "0201T"),
        ("27447", "27447"),
        ("e0601", "E0601"),
        ("LT1", "LT1"),
        ("0F", "0F"),  # two characters, as a modifier has
        ("0FT", "0FT"),
        ("0FT44Z", "0FT44Z"),
        ("2251", "2251"),
        ("0QU1*", "0QU1*"),
        ("0qu*", "0QU*"),
        ("0FT4?ZZ", "0FT4?ZZ"),
        ("e047?", "E047?"),
    ],
)
def test_a_query_that_is_nothing_but_code_is_a_literal(engine: SearchEngine, typed: str, literal: str) -> None:
    """Whole, its beginning, or with wildcards; in any case of letters, with blanks and hyphens of any kind."""
    query = engine.understand(typed)
    assert (query.only_code, query.literals, query.ranges) == (True, (literal,), ())
    assert query.core == typed.strip()


@pytest.mark.parametrize(
    ("typed", "expected"),
    [
        ("22510-22515", ("22510", "22515")),
        ("22510 – 22515", ("22510", "22515")),
        ("e0470 to e0472", ("E0470", "E0472")),
        ("0QU10JZ through 0QU13JZ", ("0QU10JZ", "0QU13JZ")),
    ],
)
def test_two_codes_with_a_dash_or_a_word_between_are_a_range(
    engine: SearchEngine, typed: str, expected: tuple[str, str]
) -> None:
    """First and last code, upper case."""
    query = engine.understand(typed)
    assert (query.only_code, query.literals, query.ranges) == (True, (), (expected,))


@pytest.mark.parametrize(
    "typed", ["knee", "AB", "R", "*FT", "?", "ankle-wrist", "elbow to wrist", "5", "L4-5", "T12", "C5/6"]
)
def test_words_and_levels_of_the_spine_are_no_codes(engine: SearchEngine, typed: str) -> None:
    """A code has a digit and at least two characters, and begins with one that is known."""
    query = engine.understand(typed)
    assert (query.only_code, query.literals, query.ranges) == (False, (), ())


def test_codes_among_words_are_literals_each_once(engine: SearchEngine) -> None:
    """Only whole ones; beginnings, counts and levels are words."""
    query = engine.understand("Is G0105, g0105 or 0FT4-4ZZ right at L4-5 with 0FT4, x4 and 22510-22515?")
    assert query.literals == ("G0105", "0FT44ZZ")
    assert query.ranges == (("22510", "22515"),)
    assert not query.only_code
    assert "g0105" in query.stems


def test_what_looks_like_a_code_is_words_when_codes_are_off(engine: SearchEngine) -> None:
    """“CABG x4” could be the beginning of no code; taken for words it says how many."""
    assert engine.understand("CABG x4").only_code
    query = engine.understand("CABG x4", codes=False)
    assert (query.only_code, query.literals, query.stems) == (False, (), ("cabg", "x4"))
    assert query.attributes["count"] == {"four or more"}


def test_squeezing_takes_out_blanks_hyphens_and_dots() -> None:
    """Whatever hyphen it is."""
    assert squeeze_code("0ft.4\u20134\u00a0z z") == "0FT44ZZ"


# --- spelling ---


@pytest.mark.parametrize(
    ("typed", "spelt", "steps"),
    [
        ("cholecistectomy", "cholecystectomy", [("cholecistectomy", "cholecystectomy")]),
        ("colonscopy today", "colonoscopy today", [("colonscopy", "colonoscopy")]),
        ("sacral cemnt, kneee", "sacral cement, knee", [("cemnt", "cement"), ("kneee", "knee")]),
        ("cholecystectomy", "cholecystectomy", []),
        ("flights", "flights", []),  # English, though the index lacks it
        ("knea", "knea", []),  # too short
        ("injekshun", "injekshun", []),  # too far from any word
        ("CEMNT", "CEMNT", []),  # capitals abbreviate something
        ("cemnt2 cemnt-3", "cemnt2 cemnt-3", []),  # with digits and hyphens it may be anything
    ],
)  # fmt: skip
def test_only_unknown_words_are_corrected(
    engine: SearchEngine, typed: str, spelt: str, steps: list[tuple[str, str]]
) -> None:
    """Each correction is a step; everything else stays as it was typed."""
    query = engine.understand(typed)
    assert (query.text, _steps(query, "spelling")) == (spelt, steps)


@pytest.mark.parametrize("code", ["0FT44ZX", "E0602", "G0IO5", "0201X", "0FT4?ZZ"])
def test_a_code_is_never_corrected(engine: SearchEngine, code: str) -> None:
    """Neither alone nor among words, known or not."""
    assert engine.understand(code).text == code
    assert engine.understand(f"is {code} right").text == f"is {code} right"


def test_spelling_can_be_left_out(engine: SearchEngine) -> None:
    """The text is searched as it was typed."""
    query = engine.understand("cholecistectomy", spelling=False)
    assert (query.text, query.stems, query.steps) == ("cholecistectomy", ("cholecistectomi",), ())
    without = SearchEngine(engine.snapshot, ["spelling"]).understand("cholecistectomy")
    assert without == query


@pytest.mark.parametrize(
    "typed",
    [
        "cholecistectomy",
        "sacral cemnt, percutanous",
        "L knee replacment",
        "B/L sacroplasty",
        "0FT44ZZ",
        "22510-22515",
        "fusion L4-5, percutanous",
        "I&D of an abcess",
        "CT of the brain with and without contarst",
        "is 0200T right for cemnt",
        NOTE,
        "🫀",
        "the",
    ],
)
def test_understanding_what_was_understood_changes_nothing(engine: SearchEngine, typed: str) -> None:
    """Its own text gives the same query, without a spelling step."""
    query = engine.understand(typed)
    again = engine.understand(query.text)
    kept = tuple(step for step in query.steps if step.kind != "spelling")
    assert again == replace(query, steps=kept)


# --- abbreviated sides, levels of the spine ---


@pytest.mark.parametrize(
    ("typed", "read", "found"),
    [
        ("L knee replacement", "left knee replacement", [("L", "left")]),
        ("R knee replacement", "right knee replacement", [("R", "right")]),
        ("Rt knee replacement", "right knee replacement", [("Rt", "right")]),
        ("rt. knee replacement", "right knee replacement", [("rt.", "right")]),
        ("knee replacement, Lt", "knee replacement, left", [("Lt", "left")]),
        ("B/L sacroplasty", "bilateral sacroplasty", [("B/L", "bilateral")]),
        ("bilat. sacroplasty", "bilateral sacroplasty", [("bilat.", "bilateral")]),
    ],
)
def test_abbreviated_sides_are_spelt_out(
    engine: SearchEngine, typed: str, read: str, found: list[tuple[str, str]]
) -> None:
    """What was typed stays the text; what it means is searched, and is a step."""
    query = engine.understand(typed)
    assert (query.text, query.core, _steps(query, "abbreviation")) == (typed, read, found)
    assert query.attributes["laterality"] == {found[0][1]}


@pytest.mark.parametrize(
    "typed", ["L4-5 fusion", "L5 kyphoplasty", "L-5 root", "l knee", "r knee", "oxygen at 3 L/min", "XL brace"]
)
def test_what_is_no_side_is_left(engine: SearchEngine, typed: str) -> None:
    """Levels of the spine, small single letters, litres, parts of words."""
    query = engine.understand(typed)
    assert _steps(query, "abbreviation") == []
    assert "laterality" not in query.attributes


@pytest.mark.parametrize(
    ("typed", "level", "meaning"),
    [
        ("L4 kyphoplasty", "L4", "lumbar vertebra"),
        ("kyphoplasty of T12", "T12", "thoracic vertebra"),
        ("C2 fracture", "C2", "cervical vertebra"),
        ("S1 cement injection", "S1", "sacrum"),
        ("fusion L4-5", "L4-5", "lumbar vertebral joint"),
        ("fusion L4-L5", "L4-L5", "lumbar vertebral joint"),
        ("fusion C5/6", "C5/6", "cervical vertebral joint"),
        ("fusion L5–S1", "L5–S1", "lumbosacral joint"),
        ("fusion C7-T1", "C7-T1", "cervicothoracic vertebral joint"),
        ("fusion T12-L1", "T12-L1", "thoracolumbar vertebral joint"),
    ],
)
def test_levels_of_the_spine_are_told_by_their_region(
    engine: SearchEngine, typed: str, level: str, meaning: str
) -> None:
    """One is a vertebra, two are the joint between them."""
    query = engine.understand(typed)
    assert _steps(query, "level") == [(level, meaning)]
    assert set(tokens(meaning)) <= {*query.stems, *query.more_stems}
    assert query.core == typed


@pytest.mark.parametrize("typed", ["type l4 lesion", "S1-C2", "vitamin B12", "the 4 L"])
def test_what_is_no_level_is_left(engine: SearchEngine, typed: str) -> None:
    """Small letters, joints that there are not, other letters."""
    assert _steps(engine.understand(typed), "level") == []


# --- names and words ---


@pytest.mark.parametrize(
    ("typed", "name", "codes"),
    [
        ("cholecystectomy", "cholecystectomy", {"0FT40ZZ", "0FT44ZZ"}),
        ("emergency cholecystectomies", "cholecystectomy", {"0FT40ZZ", "0FT44ZZ"}),
        ("lap chole", "lap chole", {"0FT44ZZ"}),
        ("sacroplasty", "sacroplasty", {"0QU13JZ"}),
    ],
)
def test_a_name_of_the_thesaurus_is_found(engine: SearchEngine, typed: str, name: str, codes: set[str]) -> None:
    """In any form of its words; it is a step, and names its codes."""
    query = engine.understand(typed)
    (match,) = [held for held in query.matches if held.phrase.source == THESAURUS and held.phrase.text == name]
    named, _, _ = engine.snapshot.phrases.named(match.row)
    assert {engine.snapshot.documents.brief(position).code for position in named.tolist()} == codes
    assert name in [found for found, _ in _steps(query, "name")]


def test_a_name_inside_a_longer_one_is_not_found(engine: SearchEngine) -> None:
    """“Total hip replacement” is a name; “hip replacement” in it is not looked at."""
    matches = engine.understand("primary total hip replacement today").matches
    assert {(match.phrase.stems, match.start, match.end) for match in matches} == {("total hip replac", 1, 4)}


def test_a_name_of_several_groups_needs_codes_together(engine: SearchEngine) -> None:
    """Kyphoplasty is a reposition and a supplement."""
    (told,) = [meaning for found, meaning in _steps(engine.understand("kyphoplasty"), "name") if found == "kyphoplasty"]
    assert told == "procedure; needs 2 codes together"


def test_synonyms_of_pages_are_matched_but_tell_nothing_new(engine: SearchEngine) -> None:
    """“Cementless right THA” is a synonym of one bundled page: a match, and no step."""
    query = engine.understand("cementless right THA")
    assert ("cementless right THA", "page", 0, 3) in [
        (match.phrase.text, match.phrase.source, match.start, match.end) for match in query.matches
    ]
    assert _steps(query, "name") == []


def test_words_of_the_releases_stand_for_everyday_ones(engine: SearchEngine) -> None:
    """The query is compared as typed; what the releases would say gives more stems."""
    query = engine.understand("oesophagus scope")
    assert ("oesophagus", "esophagus") in _steps(query, "words")
    assert query.core == "oesophagus scope"
    assert "oesophagus" in query.stems
    assert "esophagus" in query.more_stems
    assert not set(query.stems) & set(query.more_stems)


def test_words_of_one_system_hold_in_it_and_where_none_is_named(engine: SearchEngine) -> None:
    """The quadrate lobe is the liver in ICD-10-PCS, which has no code of its own for it; CPT might."""
    for system in (None, CodeSystem.ICD10PCS):
        assert _steps(engine.understand("quadrate lobe", system), "words") == [("quadrate lobe", "liver")]
    assert _steps(engine.understand("quadrate lobe", CodeSystem.CPT), "words") == []


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("RFA of the liver", True),
        ("rfa", True),  # the whole query, in any case
        ("the rfa of the liver", False),
        ("I&D of a boil", True),
        ("boil, I&D", True),
        ("vitamin D for a boil", False),
        ("IT hip", True),
        ("pain in the hip", False),
        ("it hip pain", False),
    ],
)
def test_a_short_abbreviation_counts_as_it_is_written(engine: SearchEngine, typed: str, found: bool) -> None:
    """Capitals, signs and stop words too; alone it counts in any case of letters."""
    exact = {match.phrase.text for match in engine.understand(typed).matches if match.phrase.exact}
    assert bool(exact & {"RFA", "I&D", "IT hip"}) is found


def test_an_abbreviation_is_replaced_whole(engine: SearchEngine) -> None:
    """Its sign and stop word go too."""
    query = engine.understand("I&D of a boil")
    assert ("I&D", "drainage") in _steps(query, "words")
    assert query.more_stems[0] == "drainag"


def test_names_can_be_left_out(engine: SearchEngine) -> None:
    """No match, no words; attributes and spelling are understood still."""
    snapshot = engine.snapshot
    query = understand("left oesophagus", snapshot.phrases, snapshot.vocabulary, names=False)
    assert (query.matches, query.more_stems, query.core) == ((), (), "left oesophagus")
    assert query.steps == (Step("attribute", "laterality", "left"),)
    assert SearchEngine(snapshot, ["names"]).understand("left oesophagus") == query


# --- attributes ---


@pytest.mark.parametrize(
    ("typed", "name", "expected"),
    [
        ("left knee", "laterality", {"left"}),
        ("both knees", "laterality", {"bilateral"}),
        ("keyhole surgery", "approach", {"percutaneous endoscopic", "endoscopic assistance"}),
        ("laparoscopically", "approach", {"percutaneous endoscopic", "endoscopic assistance"}),
        ("colonoscopy", "approach", {"natural opening", "natural opening endoscopic"}),
        ("through the mouth", "approach", {"natural opening", "natural opening endoscopic"}),
        ("endoscopic clip", "approach", {"natural opening endoscopic", "percutaneous endoscopic"}),
        ("needle drainage", "approach", {"percutaneous"}),
        ("endovascular repair", "approach", {"percutaneous"}),
        ("open cholecystectomy", "approach", {"open"}),
        ("thoracotomy", "approach", {"open"}),
        ("CT head with contrast", "contrast", {"with contrast"}),
        ("CT head without contrast", "contrast", {"without contrast"}),
        ("CT head w/o contrast", "contrast", {"without contrast"}),
        ("CT head with and without contrast", "contrast", {"without then with contrast"}),
        ("CT head w/wo contrast", "contrast", {"without then with contrast"}),
        ("each additional level", "occurrence", {"each additional"}),
        ("initial visit", "occurrence", {"first"}),
        ("stomach biopsies", "biopsy", {"with biopsy"}),
        ("endoscopy, no biopsy", "biopsy", {"without biopsy"}),
        ("CABG of x2 vessels", "count", {"two"}),
        ("3-vessel CABG", "count", {"three"}),
        ("five stents x5", "count", {"four or more"}),
        ("one stent", "count", {"one"}),
        ("hernia repair with mesh", "material", {"synthetic"}),
        ("cadaver bone graft", "material", {"nonautologous"}),
        ("own vein graft", "material", {"autologous"}),
        ("cow valve", "material", {"zooplastic"}),
        ("drug-eluting stent", "device", {"drug-eluting"}),
        ("bare metal stent", "device", {"intraluminal"}),
        ("plates for a broken tibia", "device", {"internal fixation"}),
        ("femur rodding", "device", {"intramedullary"}),
        ("cementless hip", "cement", {"uncemented"}),
        ("cemented hip", "cement", {"cemented"}),
    ],
)
def test_a_query_says_an_attribute(engine: SearchEngine, typed: str, name: str, expected: set[str]) -> None:
    """With the values that a code may then have; each is a step."""
    query = engine.understand(typed)
    assert query.attributes[name] == expected
    assert (name, " or ".join(sorted(expected))) in _steps(query, "attribute")


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("stent in the left main", "laterality"),
        ("right ventricle lead", "laterality"),
        ("open wound", "approach"),
        ("open fracture of the tibia", "approach"),
        ("diagnostic colonoscopy", "biopsy"),
        ("finger nail removal", "device"),
    ],
)
def test_a_query_that_only_seems_to_say_an_attribute_does_not(engine: SearchEngine, typed: str, name: str) -> None:
    """The words are there and mean something else."""
    assert name not in engine.understand(typed).attributes


def test_a_query_that_says_nothing_has_no_attributes(engine: SearchEngine) -> None:
    """And attributes are named as the index names them."""
    assert engine.understand("wheelchair").attributes == {}
    assert set(engine.understand("left laparoscopic biopsy with mesh").attributes) <= set(NAMES)


# --- long text ---


def test_a_note_is_reduced_to_what_was_done(engine: SearchEngine) -> None:
    """History, anaesthesia and discharge go; the whole note stays the text."""
    query = engine.understand(NOTE)
    done = "The gallbladder was removed laparoscopically."
    assert _steps(query, "narrative") == [(NOTE, done)]
    assert (query.text, query.core) == (NOTE, done)
    assert query.stems == ("gallbladd", "remov", "laparoscop")
    assert query.attributes["approach"] == {"percutaneous endoscopic", "endoscopic assistance"}


def test_a_short_text_is_not_reduced(engine: SearchEngine) -> None:
    """Of fewer than fourteen words; asides are then what one asks for."""
    text = "history of falls, left hip replaced because of a fracture"
    assert len(text.split()) < LEAST_WORDS
    assert reduced(text) == text
    assert _steps(engine.understand(text), "narrative") == []


def test_a_long_text_of_asides_only_is_kept() -> None:
    """Better than nothing at all."""
    text = (
        "A man with a history of falls, who was admitted, consented, prepped and draped, and then was discharged home"
    )
    assert len(text.split()) >= LEAST_WORDS
    assert reduced(text) == text


def test_reducing_twice_is_reducing_once() -> None:
    """What is left has no aside, or is short."""
    assert reduced(reduced(NOTE)) == reduced(NOTE)


@pytest.mark.parametrize("typed", ["the", "…", "🫀", "of the"])
def test_a_query_without_words_is_understood_as_nothing(engine: SearchEngine, typed: str) -> None:
    """No stems, no steps."""
    query = engine.understand(typed)
    assert (query.stems, query.more_stems, query.matches, query.steps) == ((), (), (), ())


def test_a_query_that_treats_wants_no_mere_inspection(engine: SearchEngine) -> None:
    """Removing polyps takes a look, and is more; a biopsy that is not taken, and looking alone, are no treatment."""
    assert engine.understand("colonoscopy with polyp removal").attributes["purpose"] == {"treatment"}
    assert "purpose" not in engine.understand("colonoscopy without biopsy").attributes
    assert engine.understand("inspection of the knee").attributes["purpose"] == {"inspection"}
