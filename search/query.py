"""Understanding a query: what was typed, as text, tokens and code literals."""

from __future__ import annotations

import re
from dataclasses import dataclass

from index.records import CodeSystem
from index.text import clean, tokens

# How a whole code of each system looks, upper case.
CODE_SHAPES = {
    CodeSystem.CPT: re.compile(r"[0-9]{4}[0-9AFMTU]"),
    CodeSystem.HCPCS: re.compile(r"[A-V][0-9]{4}|[A-Z0-9]{2}"),
    CodeSystem.ICD10PCS: re.compile(r"[0-9A-HJ-NP-Z]{7}"),
}

_LONGEST_CODE = 7


@dataclass(frozen=True, slots=True)
class Query:
    """A query as it was understood.

    `text` is clean; `stems` are its tokens. `literals` are the code-like parts, upper case, in order;
    `only_code` says that the whole query is one code or the beginning of one.
    """

    text: str
    stems: tuple[str, ...]
    literals: tuple[str, ...]
    only_code: bool


def squeeze_code(text: str) -> str:
    """Returns a code as the releases write it: upper case, without white space, hyphens and dots.

    >>> squeeze_code(" 0y6h-0z1 ")
    '0Y6H0Z1'
    """
    return re.sub(r"[\s.\-\u2010-\u2015]+", "", text).upper()


def understand(raw: str) -> Query:
    """Returns the query as understood; nothing is known yet of which literals exist.

    >>> understand("CPT 0201t, please").literals
    ('0201T',)
    >>> understand("02rf 3").only_code
    True
    """
    text = clean(raw)
    whole = squeeze_code(text)
    if re.fullmatch(rf"(?=.*[0-9])[0-9A-Z]{{2,{_LONGEST_CODE}}}", whole):
        return Query(text, tuple(tokens(text)), (whole,), only_code=True)
    words = (squeeze_code(word) for word in re.split(r"[^\w\-]+", text))
    literals = dict.fromkeys(word for word in words if _is_whole_code(word))
    return Query(text, tuple(tokens(text)), tuple(literals), only_code=False)


def _is_whole_code(word: str) -> bool:
    # A modifier looks like any two letters, so in running text only the longer codes are literals.
    return (
        len(word) > 2
        and bool(re.search("[0-9]", word))
        and any(shape.fullmatch(word) for shape in CODE_SHAPES.values())
    )
