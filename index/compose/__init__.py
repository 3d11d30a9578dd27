"""Composes documents from what several files of a release say, one module per code system."""

from __future__ import annotations

from collections.abc import Sequence

from index.compose import cpt, hcpcs, icd10pcs
from index.records import CodeSystem, Document
from index.sources import Problem

__all__ = ["compose"]


def compose(documents: Sequence[Document], facts: Sequence[object]) -> tuple[list[Document], list[Problem]]:
    """Returns the documents of all systems with what the facts say of them, and where sources disagree."""
    by_system: dict[CodeSystem, list[Document]] = {system: [] for system in CodeSystem}
    for document in documents:
        by_system[document.system].append(document)
    composed: list[Document] = []
    problems: list[Problem] = []
    for system, composer in (
        (CodeSystem.CPT, cpt.compose),
        (CodeSystem.HCPCS, hcpcs.compose),
        (CodeSystem.ICD10PCS, icd10pcs.compose),
    ):
        told, found = composer(by_system[system], facts)
        composed += told
        problems += found
    return composed, problems
