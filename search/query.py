"""Understanding a query: codes, spelling, abbreviations, names, attributes; each step as data, in order."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field

from index.attributes import ATTRIBUTES, value_of, values_of
from index.phrases import LONGEST, Phrase, PhraseBook
from index.records import THESAURUS, CodeSystem
from index.text import Token, clean, spans, tokens
from index.vocabulary import SHORTEST, Vocabulary, words_of
from search.narrative import reduced

# How a whole code of each system looks, upper case.
CODE_SHAPES = {
    CodeSystem.CPT: re.compile(r"[0-9]{4}[0-9AFMTU]"),
    CodeSystem.HCPCS: re.compile(r"[A-V][0-9]{4}|[A-Z0-9]{2}"),
    CodeSystem.ICD10PCS: re.compile(r"[0-9A-HJ-NP-Z]{7}"),
}

_LONGEST_CODE = 7
_SHORTEST_BEGINNING = 3

_RANGE = re.compile(r"\b([0-9A-Z]{5}|[0-9A-Z]{7})\s*(?:-|–|to|through)\s*([0-9A-Z]{5}|[0-9A-Z]{7})\b", re.IGNORECASE)
_WILDCARD = re.compile(r"(?=.*[0-9])[0-9A-Z?]{2,7}\*?", re.IGNORECASE)

# "L4-5", "C5/6", "L5-S1", "T12": a level of the spine, not the beginning of a code.
_LEVEL = re.compile(r"\b([CTLS])([0-9]{1,2})(?:\s*[-–/]\s*([CTLS])?([0-9]{1,2}))?\b")
_REGIONS = {"C": "cervical vertebra", "T": "thoracic vertebra", "L": "lumbar vertebra", "S": "sacrum"}
_JOINTS = {
    "CC": "cervical vertebral joint", "CT": "cervicothoracic vertebral joint", "TT": "thoracic vertebral joint",
    "TL": "thoracolumbar vertebral joint", "LL": "lumbar vertebral joint", "LS": "lumbosacral joint",
}  # fmt: skip

# Sides as notes abbreviate them. A single letter counts only as a capital.
_SIDES = (
    (re.compile(r"\b(?:b/l|B/L|bilat|Bilat|BILAT|bil)\b\.?"), "bilateral"),
    (re.compile(r"\b(?:R|Rt|rt|RT(?! (?:to|for|of) ))\b\.?(?!\s*[-–/]?\d)"), "right"),
    (re.compile(r"\b(?:L|Lt|LT|lt)\b\.?(?!\s*[-–/]?\d|/[a-z])"), "left"),  # "3 L/min" is no side
)

_COUNT = re.compile(r"\bx\s?([1-9])\b|\b([1-9])[- ]?(?:vessel|level)s?\b", re.IGNORECASE)
_COUNTS = {"1": "one", "2": "two", "3": "three"}

# Ways that people say an approach, and the values that a code may then have.
_APPROACHES = tuple(
    (re.compile(pattern, re.IGNORECASE), frozenset(values))
    for pattern, values in (
        (
            r"keyhole|key-hole|laparoscop\w*|\blap\b|arthroscop\w*|thoracoscop\w*|\bVATS\b|robot\w*",
            ("percutaneous endoscopic", "endoscopic assistance"),
        ),
        (
            r"transurethral|transvaginal|transanal|transoral|per os|(?:colono|cysto|hystero|broncho|uretero|gastro|"
            r"sigmoido|laryngo)scop\w*|\bEGD\b|\bERCP\b|through the (?:mouth|rectum|vagina|urethra|nose|throat|anus)",
            ("natural opening endoscopic", "natural opening"),
        ),
        (r"endoscop\w*|\bscope[sd]?\b", ("natural opening endoscopic", "percutaneous endoscopic")),
        (
            r"percutaneous\w*|\bperc\b|through the (?:wrist|groin|skin)|trans(?:radial|femoral|catheter|luminal)\w*|"
            r"endovascular|\bneedle\b|via catheter|catheter-based",
            ("percutaneous",),
        ),
        (r"\bopen\b(?! (?:wound|fracture|heart))|incision\w*|thoracotomy|laparotomy|arthrotomy", ("open",)),
    )
)


# Words that say that more is done than to look: a mere inspection is then no code of its own (ICD-10-PCS guideline
# B3.11a).
_TREATS = re.compile(
    r"\b(?:remov(?:al|ed?|ing)|excis\w+|resect\w+|trimm\w+|shav(?:ing|ed)|repair\w*|ablat\w+|destr\w+|snared?|"
    r"\w+ectomy|\w+plasty|dilat(?:ion|ed|ing)|stent\w*|ligat\w+|clipp\w+|cauteri\w+|fulgurat\w+|lithotrips\w+|"
    r"extract\w+|retriev\w+|(?<!without )(?<!no )biops(?:y|ies)|drain(?:age|ed|ing)|debride\w*|lysis|"
    r"sutur(?:e|ed|ing)|released?|injections?|cut out)\b",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Step:
    """One thing that was understood: what kind of step, the words of the query, and what they are taken for."""

    kind: str
    found: str
    meaning: str


@dataclass(frozen=True, slots=True)
class Match:
    """A phrase of the book that stands in the query, from token `start` to `end` (excluded)."""

    row: int
    phrase: Phrase
    start: int
    end: int


@dataclass(frozen=True, slots=True)
class Query:
    """A query as it was understood.

    `text` is clean and spelt as it was understood; `stems` are its tokens, and `more_stems` those of the words
    that its phrases stand for. `matches` are phrases that stand in it word by word. `core` is what of the text is
    compared with passages. `literals` are codes, beginnings of codes and wildcards (`?` and a final `*`), upper case;
    `ranges` first and last codes; `only_code` says that the whole query is code. `attributes` maps names of
    `index.attributes` to the values that fit.
    """

    text: str
    stems: tuple[str, ...]
    literals: tuple[str, ...] = ()
    ranges: tuple[tuple[str, str], ...] = ()
    only_code: bool = False
    more_stems: tuple[str, ...] = ()
    core: str = ""
    matches: tuple[Match, ...] = ()
    attributes: Mapping[str, frozenset[str]] = field(default_factory=dict)
    steps: tuple[Step, ...] = ()


def squeeze_code(text: str) -> str:
    """Returns a code as the releases write it: upper case, without white space, hyphens and dots.

    >>> squeeze_code(" 0y6h-0z1 ")
    '0Y6H0Z1'
    """
    return re.sub(r"[\s.\-\u2010-\u2015]+", "", text).upper()


def understand(
    raw: str,
    phrases: PhraseBook,
    vocabulary: Vocabulary,
    *,
    system: CodeSystem | None = None,
    codes: bool = True,
    spelling: bool = True,
    names: bool = True,
) -> Query:
    """Returns the query as understood, for one code system or all.

    With `codes` off, what looks like a code alone is taken for words ("CABG x4"); `spelling` and `names` off
    leave out the correction and the phrase book.

    Understanding its own `text` again changes nothing.
    """
    text = clean(raw)
    if codes and (whole := _code_alone(text)) is not None:
        return whole
    steps: list[Step] = []
    literals, ranges = _codes_in(text)
    if spelling:
        text = _spelt(text, phrases, vocabulary, steps)
    spelt = text
    spoken = _sides(text, steps)
    more = _levels(spoken, steps)
    core = reduced(spoken)
    if core != spoken:
        steps.append(Step("narrative", spoken, core))
    found = tuple(_matches(core, phrases, system)) if names else ()
    expanded = _expanded(core, found, steps)
    attributes = _attributes(f"{expanded} {more}", core, steps)
    stems = tuple(tokens(core))
    more_stems = tuple(stem for stem in dict.fromkeys(tokens(f"{expanded} {more}")) if stem not in stems)
    return Query(spelt, stems, literals, ranges, False, more_stems, core, found, attributes, tuple(steps))


def _code_alone(text: str) -> Query | None:
    """Returns the query where it is nothing but a code, the beginning of one, a range or a wildcard; else None."""
    if found := _RANGE.fullmatch(text):
        first, last = found[1].upper(), found[2].upper()
        if any(character.isdigit() for character in first) and len(first) == len(last):
            return Query(text, tuple(tokens(text)), ranges=((first, last),), only_code=True, core=text)
    if _LEVEL.fullmatch(text) and not _shape(squeeze_code(text)):
        return None
    whole = squeeze_code(text)
    if re.fullmatch(rf"(?=.*[0-9])[0-9A-Z]{{2,{_LONGEST_CODE}}}", whole) and (
        len(whole) >= _SHORTEST_BEGINNING or _shape(whole)
    ):
        meant = _confused(whole)
        steps = (Step("code", text, meant),) if meant != whole else ()
        literals = tuple(dict.fromkeys((whole, meant)))
        return Query(text, tuple(tokens(text)), literals, only_code=True, core=text, steps=steps)
    if _WILDCARD.fullmatch(text) and set(text) & set("*?") and text[0] not in "*?":
        return Query(text, tuple(tokens(text)), (text.upper(),), only_code=True, core=text)
    return None


def _confused(code: str) -> str:
    """Returns the code with letters where only digits can stand, O, I and L, read as 0 and 1.

    >>> _confused("G0L21"), _confused("OFT44ZZ")
    ('G0121', '0FT44ZZ')
    """
    if len(code) == 5 and code[:1].isalpha():
        return code[0] + code[1:].translate(str.maketrans("OIL", "011"))
    return code.translate(str.maketrans("OI", "01")) if len(code) == _LONGEST_CODE else code


def _codes_in(text: str) -> tuple[tuple[str, ...], tuple[tuple[str, str], ...]]:
    """Returns the codes, and the ranges of codes, that stand among other words."""
    ranges = tuple(
        (found[1].upper(), found[2].upper())
        for found in _RANGE.finditer(text)
        if _shape(found[1].upper()) and _shape(found[2].upper())
    )
    words = (squeeze_code(word) for word in re.split(r"[^\w\-]+", text))
    whole = (word for word in words if len(word) > 2 and re.search("[0-9]", word) and _shape(word))
    return tuple(dict.fromkeys(whole)), ranges


def _shape(code: str) -> bool:
    return any(shape.fullmatch(code) for shape in CODE_SHAPES.values())


def _spelt(text: str, phrases: PhraseBook, vocabulary: Vocabulary, steps: list[Step]) -> str:
    """Returns the text with words that nobody knows replaced by the nearest that the index knows."""

    def corrected(found: re.Match[str]) -> str:
        word = found[0]
        folded = " ".join(words_of(word))  # two words where a sign between letters is none of a word: "AA¹AA"
        known = folded in vocabulary or phrases.find(tokens(word))
        if known or " " in folded or len(folded) < SHORTEST or word.isupper():
            return word
        nearest = vocabulary.nearest(folded)
        if nearest is None:
            return word
        steps.append(Step("spelling", word, nearest))
        return nearest

    return re.sub(r"(?<![\w-])[^\W\d_]+(?![\w-])", corrected, text)


def _sides(text: str, steps: list[Step]) -> str:
    """Returns the text with abbreviated sides spelt out."""
    for pattern, side in _SIDES:
        for found in pattern.finditer(text):
            steps.append(Step("abbreviation", found[0], side))
        text = pattern.sub(side, text)
    return text


def _levels(text: str, steps: list[Step]) -> str:
    """Returns words for the levels of the spine that the text names."""
    more = []
    for found in _LEVEL.finditer(text):
        first, second = found[1], found[3] or found[1]
        meaning = _JOINTS.get(first + second, "") if found[4] else _REGIONS[first]
        if meaning:
            steps.append(Step("level", found[0], meaning))
            more.append(meaning)
    return " ".join(more)


def _matches(text: str, phrases: PhraseBook, system: CodeSystem | None) -> Iterator[Match]:
    """Yields the phrases that stand in the text and in no longer one, from left to right."""
    found = spans(text)
    covered = 0
    for start in range(len(found)):
        for end in range(min(start + LONGEST, len(found)), max(start, covered), -1):
            named = [
                Match(row, phrase, start, end)
                for row, phrase in phrases.find([token.stem for token in found[start:end]])
                if (not phrase.exact or _is_written_so(text, found, start, end, phrase))
                and (not phrase.words or not phrase.system or system in (None, phrase.system))
            ]
            if named:
                covered = end
                yield from named
                break


def _is_written_so(text: str, found: list[Token], start: int, end: int, phrase: Phrase) -> bool:
    """Whether an abbreviation stands as the phrase writes it, stop words too, or in any case is the whole query."""
    begin, _ = _place(found, Match(0, phrase, start, end))
    case = re.IGNORECASE if (start == 0 and end == len(found)) else re.NOFLAG
    written = re.compile(rf"(?<!\w){re.escape(phrase.text)}(?!\w)", case)
    return begin >= 0 and written.match(text, begin) is not None


def _place(found: list[Token], match: Match) -> tuple[int, int]:
    """Returns where a phrase stands in the text, start and end; that of an exact one with its stop words."""
    start, end = found[match.start].start, found[match.end - 1].end
    if match.phrase.exact:
        start -= spans(match.phrase.text)[0].start
        end = start + len(match.phrase.text)
    return start, end


def _expanded(text: str, matches: tuple[Match, ...], steps: list[Step]) -> str:
    """Returns the text with each phrase that is only words replaced by the releases' words."""
    found = spans(text)
    parts, position = [], 0
    for match in matches:
        phrase = match.phrase
        start, end = _place(found, match)
        if phrase.words and start >= position:
            steps.append(Step("words", text[start:end], phrase.words))
            parts += [text[position:start], phrase.words]
            position = end
        elif not phrase.words and phrase.source == THESAURUS:
            told = [phrase.kind]
            if phrase.groups > 1:
                told.append(f"needs {phrase.groups} codes together")
            if phrase.other:
                told.append(f"could mean {phrase.other}")
            steps.append(Step("name", phrase.text, "; ".join(told)))
    return "".join([*parts, text[position:]])


def _attributes(expanded: str, text: str, steps: list[Step]) -> dict[str, frozenset[str]]:
    """Returns the attributes that the query says, with the values of codes that fit."""
    said: dict[str, frozenset[str]] = {}
    for name in ATTRIBUTES:
        fitting: frozenset[str] = frozenset()
        if name == "approach":
            ways = (fits for pattern, fits in _APPROACHES if pattern.search(text) or pattern.search(expanded))
            fitting = next(ways, fitting)
        elif name == "count" and (found := _COUNT.search(text)):
            fitting = frozenset({_COUNTS.get(found[1] or found[2], "four or more")})
        elif name == "laterality" and {"left", "right"} <= values_of(name, text):
            fitting = frozenset({"left", "right", "bilateral"})
        elif value := value_of(name, text) or value_of(name, expanded):
            fitting = frozenset({value})
        if fitting:
            said[name] = fitting
            steps.append(Step("attribute", name, " or ".join(sorted(fitting))))
    if _TREATS.search(text):  # no step of its own: nearly every query says so
        said["purpose"] = frozenset({"treatment"})
    return said
