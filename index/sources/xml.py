"""Reading XML releases: no external entity, no document type, line numbers in complaints."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from lxml import etree

from index.sources.reading import SourceError

_MARKS = re.compile(r"\((?:R|r|TM|tm)\)")


def parse(path: Path, root: str) -> Any:
    """Returns the root element, whose name must be `root`.

    Raises:
        SourceError: it is no XML, is cut off, declares entities or a document type, or has another root.
    """
    # Entities are neither loaded nor resolved, and a file that declares any is refused below.
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True)
    try:
        tree = etree.parse(str(path), parser)
    except etree.XMLSyntaxError as error:
        raise SourceError(f"{path}:{error.lineno or 1}: is no whole XML: {error.msg}") from error
    if tree.docinfo.internalDTD is not None:
        raise SourceError(f"{path}:1: declares a document type or entities, which no CMS release does: not read")
    element = tree.getroot()
    if element.tag != root:
        raise SourceError(f"{path}:{element.sourceline}: got root element {element.tag!r}, expected {root!r}")
    return element


def text(element: Any, child: str) -> str:
    """Returns the child's text in one line, or nothing."""
    return " ".join((element.findtext(child) or "").split())


def clean_term(term: str) -> str:
    """Returns the term in one line, without the marks of trademarks.

    >>> clean_term("NexoBrid(tm)")
    'NexoBrid'
    """
    return " ".join(_MARKS.sub("", term).split())


def version(element: Any, path: Path) -> str:
    """Returns the fiscal year that the file names.

    Raises:
        SourceError: it names none.
    """
    year = text(element, "version")
    if not (year.isdigit() and len(year) == 4):
        raise SourceError(f"{path}: got version {year!r}, expected a fiscal year")
    return year
