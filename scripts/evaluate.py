#!/usr/bin/env python3
"""Measures the search against judged queries: how often, and how high, a right code is found.

A judged file has a JSON object a line: query, gold (regular expressions that a right code matches in full; none:
nothing should be found), and optionally id, slice or style, system, icd9. Codes are ranked within the query's
system. Queries are split into training and validation by their ICD-9 category, else by their id.
"""

from __future__ import annotations

import environment

environment.enter()

import argparse  # noqa: E402
import hashlib  # noqa: E402
import json  # noqa: E402
import sys  # noqa: E402
import urllib.request  # noqa: E402
from collections import Counter  # noqa: E402
from collections.abc import Callable, Iterable, Sequence  # noqa: E402
from dataclasses import replace  # noqa: E402
from pathlib import Path  # noqa: E402

import numpy as np  # noqa: E402
from judged import Judged, Universe, in_training, interval, read, sampled  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from tqdm import tqdm  # noqa: E402

from index.records import THESAURUS, CodeKind, CodeSystem  # noqa: E402
from index.snapshot import Snapshot, SnapshotError, open_best  # noqa: E402
from search.engine import FITS, PARTS, SearchEngine  # noqa: E402
from search.request import SearchRequest  # noqa: E402
from search.settings import Settings  # noqa: E402

DEPTH = 100
METRICS = ("S@1", "S@10", "MRR@10", "nDCG@10", "recall@100")
BINS = 5  # of first scores, for their calibration
# Kinds of misses, by the characters that some of the first ten codes shares with a right one.
ICD10PCS_MISSES = (
    ("right operation and body part, other approach, device or qualifier", (0, 1, 2, 3)),
    ("right body part, other operation", (0, 1, 3)),
    ("right operation, other body part", (0, 1, 2)),
    ("right body system, other operation and body part", (0, 1)),
)
LISTED_MISSES = (("same block of the list", (0, 1, 2)),)
BATCH = 50  # queries a request when asking a URL


def scores(ranked: Sequence[str], gold: frozenset[str]) -> list[float]:
    """Returns `METRICS` of one ranking, each from 0 to 1; relevance is binary.

    nDCG@10 is Järvelin and Kekäläinen's (2002), gains 1 / log2(rank + 1) over those of an ideal ranking.

    >>> scores(["a", "b", "c"], frozenset("bc"))[:3]
    [0.0, 1.0, 0.5]
    """
    right = [code in gold for code in ranked]
    first = right.index(True) + 1 if any(right) else 0
    gains = sum(1 / np.log2(rank + 1) for rank, is_right in enumerate(right[:10], start=1) if is_right)
    ideal = sum(1 / np.log2(rank + 1) for rank in range(1, min(len(gold), 10) + 1))
    return [
        float(first == 1),
        float(0 < first <= 10),
        1 / first if 0 < first <= 10 else 0.0,
        float(gains / ideal) if gold else 0.0,
        sum(right[:DEPTH]) / min(len(gold), DEPTH) if gold else 0.0,
    ]


def ask_engine(engine: SearchEngine, queries: Iterable[Judged]) -> list[list[str]]:
    """Returns the ranked codes of each query from an engine in this process."""
    ranked = []
    for judged in tqdm(list(queries), desc="queries", file=sys.stderr, mininterval=1):
        answer = engine.search(SearchRequest.checked(judged.query, system=judged.system or None, limit=DEPTH))
        ranked.append([hit.document.code for hit in answer.hits])
    return ranked


def ask_url(url: str, queries: Sequence[Judged]) -> list[list[str]]:
    """Returns the ranked codes of each query from a running service, by its batch route."""
    ranked: list[list[str]] = []
    for start in tqdm(range(0, len(queries), BATCH), desc="batches", file=sys.stderr):
        items = [
            {"q": judged.query, "system": judged.system or None, "limit": DEPTH}
            for judged in queries[start : start + BATCH]
        ]
        body = json.dumps({"queries": items}).encode()
        request = urllib.request.Request(
            f"{url.rstrip('/')}/api/search/batch", body, {"content-type": "application/json"}
        )
        with urllib.request.urlopen(request) as answer:
            ranked += [[hit["code"] for hit in result.get("hits", ())] for result in json.load(answer)["results"]]
    return ranked


def table(rows: Sequence[Judged], values: NDArray[np.float64]) -> str:
    """Returns the means by slice and system, with how many queries and the interval of S@10, as text."""
    groups: dict[str, Callable[[Judged], bool]] = {}
    for judged in rows:
        groups.setdefault(judged.system, lambda row, system=judged.system: row.system == system)  # type: ignore[misc]
    for judged in sorted(rows, key=lambda row: (row.system, row.slice)):
        key = (judged.system, judged.slice)
        groups.setdefault(f"{judged.system} {judged.slice}", lambda row, key=key: (row.system, row.slice) == key)  # type: ignore[misc]
    lines = [f"{'':28}{'n':>6}" + "".join(f"{metric:>11}" for metric in METRICS) + "   S@10 95 %"]
    for name, belongs in groups.items():
        chosen = values[[belongs(row) for row in rows]]
        low, high = interval(chosen[:, 1])
        means = "".join(f"{mean:11.3f}" for mean in chosen.mean(axis=0))
        lines.append(f"{name:28}{len(chosen):6}{means}   {low:.3f}–{high:.3f}")
    return "\n".join(lines)


def kind_of_miss(first: Sequence[str], gold: frozenset[str]) -> str:
    """Returns how near the first codes come to a right one, which is none of them.

    >>> kind_of_miss(["0FT44ZZ", "0FB44ZX"], frozenset({"0FT48ZZ"}))
    'right operation and body part, other approach, device or qualifier'
    """
    kinds = ICD10PCS_MISSES if all(len(code) == 7 for code in gold) else LISTED_MISSES
    for kind, places in kinds:
        shared = {tuple(code[place] for place in places) for code in gold}
        if any(tuple(code[place] for place in places) in shared for code in first):
            return kind
    return "elsewhere"


def misses(rows: Sequence[Judged], ranked: Sequence[list[str]], universe: Universe) -> str:
    """Returns the queries with no right code among the first ten, by kind of miss, the commonest first."""
    found: dict[str, list[str]] = {}
    for row, codes in zip(rows, ranked, strict=True):
        gold = universe.gold(row)
        if gold.isdisjoint(codes[:10]):
            later = next((f", right at {rank}" for rank, code in enumerate(codes, start=1) if code in gold), "")
            line = f"  {row.id} [{row.slice}] {row.query[:90]}: {' '.join(codes[:3])}, not {row.gold[0]}{later}"
            found.setdefault(kind_of_miss(codes[:10], gold), []).append(line)
    kinds = sorted(found.items(), key=lambda item: -len(item[1]))
    return "\n".join(line for kind, lines in kinds for line in (f"missed, {kind}: {len(lines)}", *lines))


def difference(
    before: dict[str, list[str]], rows: Sequence[Judged], ranked: Sequence[list[str]], universe: Universe
) -> str:
    """Returns the queries whose first right rank differs from an earlier run's, the worst losses first."""
    changed = []
    for judged, codes in zip(rows, ranked, strict=True):
        if judged.id in before:
            gold = universe.gold(judged)
            old, new = (
                next((rank for rank, code in enumerate(run, start=1) if code in gold), DEPTH + 1)
                for run in (before[judged.id], codes)
            )
            if old != new:
                changed.append((old - new, f"{old:>4} → {new:<4} {judged.id:8} {judged.query[:80]}"))
    return "\n".join(line for _, line in sorted(changed))


def main() -> int:
    """Returns 0 when measured, 2 when something given can't be used."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("judged", nargs="*", type=Path, help="judged files")
    parser.add_argument("--home", type=Path, default=Settings.from_environment().home, help="the index (%(default)s)")
    parser.add_argument("--url", help="ask this running service instead of an engine in this process")
    parser.add_argument("--split", choices=("training", "validation"), help="one half of the queries only")
    parser.add_argument("--sample", type=int, help="at most so many queries of each slice, the same ones every time")
    parser.add_argument("--without", default="", help=f"leave parts out, separated by commas: {', '.join(PARTS)}")
    parser.add_argument("--out", type=Path, help="write the figures and every ranking as JSON")
    parser.add_argument("--against", type=Path, help="show the queries that differ from a run that --out wrote")
    parser.add_argument("--misses", action="store_true", help="list queries with no right code among ten, by kind")
    parser.add_argument("--all-systems", action="store_true", help="ask over all systems; a hit of another is wrong")
    parser.add_argument("--confidence", action="store_true", help="judge the scores of first hits, and stop")
    parser.add_argument("--similar", type=int, metavar="N", help="judge the similar codes of so many codes, and stop")
    parser.add_argument("--coverage", action="store_true", help="print what the thesaurus reaches, and stop")
    options = parser.parse_args()
    without = frozenset(filter(None, options.without.split(",")))
    if unknown := without - set(PARTS):
        parser.error(f"--without: got {min(unknown)!r}, expected {', '.join(PARTS)}")
    try:
        rows = [judged for path in options.judged for judged in read(path)]
        snapshot, _ = open_best(options.home)
    except (OSError, ValueError, KeyError, SnapshotError) as error:
        print(f"evaluate: {error}", file=sys.stderr)
        return 2
    if options.coverage:
        print(coverage(snapshot))
        return 0
    universe = Universe(snapshot)
    if options.split:
        rows = [row for row in rows if in_training(row) == (options.split == "training")]
    if options.confidence:
        answerable = [row for row in rows if not row.gold or universe.gold(row)]
        print(confidence(SearchEngine(snapshot), answerable, universe))
        return 0
    rows = [row for row in rows if universe.gold(row)]
    if options.similar:
        print(similar(SearchEngine(snapshot), rows, universe, options.similar))
        return 0
    if options.sample:
        rows = sampled(rows, options.sample)
    if not rows:
        print("evaluate: no query has a right code in this index", file=sys.stderr)
        return 2
    asked = [replace(row, system="") for row in rows] if options.all_systems else rows
    ranked = ask_url(options.url, asked) if options.url else ask_engine(SearchEngine(snapshot, without), asked)
    values = np.array([scores(codes, universe.gold(row)) for row, codes in zip(rows, ranked, strict=True)])
    print(table(rows, values))
    if options.misses:
        print(misses(rows, ranked, universe))
    if options.against:
        print(difference(json.loads(options.against.read_text())["ranked"], rows, ranked, universe))
    if options.out:
        named = dict(zip((row.id for row in rows), ranked, strict=True))
        means = dict(zip(METRICS, values.mean(axis=0).tolist(), strict=True))
        options.out.write_text(
            json.dumps({"snapshot": snapshot.manifest.id, "means": means, "ranked": named}, indent=1)
        )
    return 0


def similar(engine: SearchEngine, rows: Sequence[Judged], universe: Universe, count: int) -> str:
    """Returns the share of the first ten similar codes that are in a clinical category with the code, as text.

    Categories are those of the judged queries (three digits of ICD-9-CM): two codes share one when queries of the
    same category have them for an answer. Similar codes that no query has for an answer are not counted.
    """
    categories: dict[str, set[str]] = {}
    for row in rows:
        for code in universe.gold(row):
            categories.setdefault(code, set()).add(row.category)
    chosen = sorted(categories, key=lambda code: hashlib.sha256(code.encode()).digest())[:count]
    shares = []
    for code in tqdm(chosen, desc="codes", file=sys.stderr, mininterval=1):
        hits = [hit.document.code for hit in engine.similar("icd10pcs", code, 10).hits]
        judged = [not categories[code].isdisjoint(categories[other]) for other in hits if other in categories]
        if judged:
            shares.append(sum(judged) / len(judged))
    low, high = interval(np.array(shares))
    return f"similar codes in the same category: {np.mean(shares):.3f} ({low:.3f}–{high:.3f}), {len(shares)} codes"


def confidence(engine: SearchEngine, rows: Sequence[Judged], universe: Universe) -> str:
    """Returns how far the first hits' scores can be believed, and tell answerable queries from others, as text.

    Calibration error: over `BINS` bins of as many queries each, the mean distance of mean score and share of right
    first hits (Naeini et al., AAAI 2015, with bins of equal mass). AUROC: the probability that the first score of an
    answerable query is higher than that of one that nothing answers.
    """
    first, right = [], []
    for row in tqdm(rows, desc="queries", file=sys.stderr, mininterval=1):
        hits = engine.search(SearchRequest.checked(row.query, system=row.system or None, limit=1)).hits
        first.append(hits[0].score if hits else 0.0)
        right.append(bool(hits) and hits[0].document.code in universe.gold(row))
    scored, correct = np.array(first), np.array(right)
    answerable = np.array([bool(row.gold) for row in rows])
    bins = np.array_split(np.flatnonzero(answerable)[np.argsort(scored[answerable], kind="stable")], BINS)
    error = sum(len(held) * abs(scored[held].mean() - correct[held].mean()) for held in bins if len(held))
    pairs = scored[answerable][:, np.newaxis] - scored[~answerable]
    fit = [
        float((scored[chosen] >= FITS).mean()) if chosen.any() else float("nan") for chosen in (answerable, ~answerable)
    ]
    return (
        f"calibration error {error / max(answerable.sum(), 1):.3f} ({answerable.sum()} queries)\n"
        f"AUROC {((pairs > 0) + (pairs == 0) / 2).mean() if pairs.size else float('nan'):.3f}"
        f" ({(~answerable).sum()} that nothing answers)\n"
        f"said to fit: {fit[0]:.1%} of the answerable, {fit[1]:.1%} of the others"
    )


def coverage(snapshot: Snapshot) -> str:
    """Returns the share of tables, blocks and codes that some entry of the thesaurus names, as text.

    A table is the first three characters of an ICD-10-PCS code, a block those of an HCPCS code.
    """
    names: Counter[int] = Counter()
    for row, phrase in snapshot.phrases:
        if phrase.source == THESAURUS:
            names.update(set(snapshot.phrases.named(row)[0].tolist()))
    lines = []
    for system in CodeSystem:
        groups: dict[str, list[int]] = {}
        for position in snapshot.documents.starting_with(system, ""):
            document = snapshot.documents.brief(position)
            if document.kind is CodeKind.PROCEDURE and document.terminated is None:
                groups.setdefault(document.code[:3], []).append(position)
        codes = [position for group in groups.values() for position in group]
        if not codes:
            continue
        reached = sum(any(names[position] for position in group) for group in groups.values())
        named = sum(names[position] > 0 for position in codes)
        lines.append(
            f"{system.value:9} {reached:4} of {len(groups):4} tables or blocks ({reached / len(groups):.1%}),"
            f" {named:6,} of {len(codes):6,} codes ({named / len(codes):.1%})"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
