"""Policies joined to the codes they name."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from dataclasses import replace

from index.records import CodeSystem, Document, Policy
from index.sources.coverage_database import CoverageTable
from index.sources.coverage_database import policies as determinations
from index.sources.policies import CodePattern, Policies
from index.sources.reading import Problem


def compose(documents: Sequence[Document], facts: Sequence[object]) -> tuple[list[Document], list[Problem]]:
    """Returns the documents with the policies that name their codes, and the policies that name other codes."""
    tables = [table for fact in facts if isinstance(fact, tuple) for table in fact if isinstance(table, CoverageTable)]
    codes = {
        system: sorted(
            (document.code, position) for position, document in enumerate(documents) if document.system is system
        )
        for system in CodeSystem
    }
    found: dict[int, dict[Policy, None]] = {}
    problems = []

    def join(policy: Policy, patterns: Iterable[CodePattern]) -> list[CodePattern]:
        """Returns the patterns that no code matches."""
        empty = []
        for pattern in patterns:
            listed = codes[pattern.system]
            first = bisect_left(listed, (pattern.first, -1))
            last = bisect_right(listed, (pattern.last, len(documents)))
            for _, position in listed[first:last]:
                found.setdefault(position, {})[policy] = None
            if first >= last:
                empty.append(pattern)
        return empty

    for policies in (fact for fact in facts if isinstance(fact, Policies)):
        for line, policy, patterns in policies.rows:
            if missing := join(policy, patterns):
                named = ", ".join(f"{pattern.system}:{pattern.first}" for pattern in missing[:5])
                problems.append(Problem(policies.file, line, f"names codes that are not in this index: {named}"))
    for policy, patterns in determinations(tables):
        join(policy, patterns)  # it names CPT codes that only a licensed file brings
    return [
        replace(document, policies=tuple(dict.fromkeys([*document.policies, *found[position]])))
        if position in found
        else document
        for position, document in enumerate(documents)
    ], problems
