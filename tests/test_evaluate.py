"""Measuring the search: the metrics by hand, the split, and whole runs over a small judged file."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer
from math import log2
from pathlib import Path

import numpy as np
import pytest

from index.build import Report
from index.snapshot import Snapshot, open_snapshot

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "scripts"))

import evaluate  # noqa: E402
from evaluate import METRICS, ask_url, difference, kind_of_miss, scores, table  # noqa: E402
from judged import Judged, Universe, in_training, interval, read, sampled  # noqa: E402


def _judged(
    id: str, gold: tuple[str, ...] = (), slice: str = "lay", system: str = "icd10pcs", category: str = ""
) -> Judged:
    return Judged(id, f"query {id}", slice, system, gold, category or id)


def _write(path: Path, *rows: dict[str, object]) -> Path:
    path.write_text("".join(f"{json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def snapshot(built: Report) -> Snapshot:
    """The built snapshot."""
    return open_snapshot(built.folder)


# --- metrics ---


def test_metrics_are_those_of_the_ranks_of_right_codes() -> None:
    """Right at ranks 2 and 4, of three: gains 1/log2(3) + 1/log2(5) of the ideal 1 + 1/log2(3) + 1/log2(4)."""
    found = dict(zip(METRICS, scores(["x", "a", "y", "b"], frozenset("abc")), strict=True))
    assert found == {
        "S@1": 0,
        "S@10": 1,
        "MRR@10": 1 / 2,
        "nDCG@10": pytest.approx((1 / log2(3) + 1 / log2(5)) / (1 + 1 / log2(3) + 1 / 2)),
        "recall@100": 2 / 3,
    }


@pytest.mark.parametrize(
    ("first", "kind"),
    [
        (("0DTJ4ZZ", "0FT40ZZ"), "right operation and body part, other approach, device or qualifier"),
        (("0FT50ZZ", "0FB44ZX"), "right body part, other operation"),
        (("0FT50ZZ",), "right operation, other body part"),
        (("0FB50ZX",), "right body system, other operation and body part"),
        (("0DTJ4ZZ",), "elsewhere"),
        ((), "elsewhere"),
    ],
)
def test_a_miss_is_told_by_the_nearest_of_the_first(first: tuple[str, ...], kind: str) -> None:
    """The characters that it shares with the resection of the gallbladder."""
    assert kind_of_miss(first, frozenset({"0FT44ZZ"})) == kind


def test_a_miss_in_a_list_is_told_by_its_block() -> None:
    """HCPCS codes have no characters that mean anything."""
    assert kind_of_miss(["E0601"], frozenset({"E0607"})) == "same block of the list"
    assert kind_of_miss(["E0431"], frozenset({"E0607"})) == "elsewhere"


def test_a_perfect_ranking_has_full_marks() -> None:
    """Of one right code, and of twelve, of which ten can stand among the first ten."""
    assert scores(["a"], frozenset("a")) == [1, 1, 1, 1, 1]
    assert scores(list("abcdefghijkl"), frozenset("abcdefghijkl")) == pytest.approx([1, 1, 1, 1, 1])


def test_a_right_code_behind_the_tenth_counts_for_recall_only() -> None:
    """At rank 11."""
    assert scores([*"bcdefghijk", "a"], frozenset("a")) == [0, 0, 0, 0, 1]


def test_recall_is_of_the_first_hundred() -> None:
    """Rank 101 is not looked at; of 200 right codes a hundred can be found."""
    assert scores([*map(str, range(100)), "a"], frozenset("a"))[4] == 0
    assert scores([*map(str, range(100))], frozenset(map(str, range(200))))[4] == 1
    assert scores([*map(str, range(50))], frozenset(map(str, range(200))))[4] == 0.5


def test_nothing_found_or_nothing_to_find_scores_nothing() -> None:
    """All five are 0."""
    assert scores([], frozenset("a")) == scores(["a"], frozenset()) == scores(["x"], frozenset("a")) == [0] * 5


def test_the_interval_holds_the_mean_and_is_the_same_every_time() -> None:
    """Thirty of a hundred: about 0.3 ± 1.96 · sqrt(0.3 · 0.7 / 100) = 0.3 ± 0.09."""
    values = np.repeat([1.0, 0.0], [30, 70])
    low, high = interval(values)
    assert (low, high) == interval(values)
    assert low == pytest.approx(0.21, abs=0.02)
    assert high == pytest.approx(0.39, abs=0.02)


def test_values_that_are_all_alike_have_no_width() -> None:
    """However few."""
    assert interval(np.ones(7)) == (1, 1)
    assert interval(np.zeros(1)) == (0, 0)


# --- which queries ---


def test_queries_of_a_category_are_in_one_half() -> None:
    """Whatever their ids; and both halves get about half of the categories."""
    halves = {
        category: {in_training(_judged(f"q{number}", category=category)) for number in range(20)}
        for category in map(str, range(100, 300))
    }
    assert all(len(half) == 1 for half in halves.values())
    assert 80 <= sum(True in half for half in halves.values()) <= 120


def test_a_sample_takes_at_most_so_many_of_each_slice_and_system() -> None:
    """In their order; one that has fewer gives all."""
    rows = [
        *(_judged(f"l{number}") for number in range(10)),
        *(_judged(f"h{number}", system="hcpcs") for number in range(10)),
        *(_judged(f"n{number}", slice="note") for number in range(2)),
    ]
    kept = sampled(rows, 3)
    assert Counter((row.system, row.slice) for row in kept) == {
        ("icd10pcs", "lay"): 3,
        ("hcpcs", "lay"): 3,
        ("icd10pcs", "note"): 2,
    }
    assert [row for row in rows if row in kept] == kept


def test_a_sample_is_the_same_every_time_and_grows() -> None:
    """More of a slice, and other queries beside it, change nothing of what was taken."""
    rows = [_judged(f"q{number}") for number in range(30)]
    small = sampled(rows, 5)
    assert sampled(rows[::-1], 5) == small[::-1]
    assert set(small) < set(sampled([*rows, _judged("other", slice="note")], 10))


def test_a_judged_file_is_read_line_by_line(tmp_path: Path) -> None:
    """What is not said: the id is file and line, the slice the style or the file, the system ICD-10-PCS."""
    path = _write(
        tmp_path / "asked.jsonl",
        {"query": "chole", "gold": ["0FT4.*"]},
        {"id": 7, "query": "hip", "gold": [], "style": "lay", "system": "none"},
        {"query": "knee", "gold": ["27447"], "slice": "x", "style": "y", "system": "cpt", "icd9": "81.54"},
    )
    assert read(path) == [
        Judged("asked-0", "chole", "asked", "icd10pcs", ("0FT4.*",), "asked-0"),
        Judged("7", "hip", "lay", "", (), "7"),
        Judged("asked-2", "knee", "x", "cpt", ("27447",), "81."),
    ]


def test_gold_patterns_stand_for_whole_valid_procedure_codes(snapshot: Snapshot) -> None:
    """A pattern that fits the beginning of a code, a header or a modifier stands for none."""
    universe = Universe(snapshot)
    assert universe.gold(_judged("a", ("0FT4[04]ZZ",))) == {"0FT40ZZ", "0FT44ZZ"}
    assert universe.gold(_judged("b", ("0FT40ZZ|0QU13JZ", "0QU1.*"))) == {"0FT40ZZ", "0QU10JZ", "0QU13JZ"}
    for gold in ("0FT4", "0FT", "FT40ZZ", "nothing"):
        assert universe.gold(_judged("c", (gold,))) == frozenset()
    assert universe.gold(_judged("d", ("LT", "G0105"), system="hcpcs")) == {"G0105"}
    assert universe.gold(_judged("e")) == frozenset()


# --- what is shown ---


def test_the_table_has_a_line_for_each_system_and_slice() -> None:
    """With the number of queries, the means, and the interval of S@10."""
    rows = [_judged("a"), _judged("b"), _judged("c", slice="note"), _judged("d", system="hcpcs")]
    values = np.array([[1, 1, 1, 1, 1], [0, 1, 0.5, 0.5, 1], [0, 0, 0, 0, 0], [1, 1, 1, 1, 1]], dtype=np.float64)
    lines = {line[:28].strip(): line[28:].split() for line in table(rows, values).splitlines()[1:]}
    assert set(lines) == {"icd10pcs", "hcpcs", "icd10pcs lay", "icd10pcs note", "hcpcs lay"}
    assert lines["icd10pcs"][:6] == ["3", "0.333", "0.667", "0.500", "0.500", "0.667"]
    assert lines["icd10pcs lay"] == ["2", "0.500", "1.000", "0.750", "0.750", "1.000", "1.000–1.000"]
    assert lines["icd10pcs note"] == ["1", *["0.000"] * 5, "0.000–0.000"]


def test_differences_are_sorted_by_how_much_was_lost(snapshot: Snapshot) -> None:
    """From rank 1 to not found first; what stays, and what was not asked before, is left out."""
    rows = [_judged(name, ("0FT40ZZ",)) for name in ("better", "worse", "lost", "same", "new")]
    before = {"better": ["x", "0FT40ZZ"], "worse": ["0FT40ZZ"], "lost": ["0FT40ZZ"], "same": ["0FT40ZZ"]}
    ranked = [["0FT40ZZ"], ["x", "0FT40ZZ"], ["x"], ["0FT40ZZ", "y"], ["x"]]
    lines = difference(before, rows, ranked, Universe(snapshot)).splitlines()
    assert [line.split()[:4] for line in lines] == [
        ["1", "→", "101", "lost"],
        ["1", "→", "2", "worse"],
        ["2", "→", "1", "better"],
    ]


class Service(BaseHTTPRequestHandler):
    """Answers a batch with two codes for each query, named after it; a query “bad” is an error."""

    asked: list[list[dict[str, object]]] = []  # noqa: RUF012 (one server a test)

    def do_POST(self) -> None:
        items = json.loads(self.rfile.read(int(self.headers["content-length"])))["queries"]
        Service.asked.append(items)
        results = [
            {"error": "x"} if item["q"] == "query bad" else {"hits": [{"code": f"{item['q']} {n}"} for n in (1, 2)]}
            for item in items
        ]
        content = json.dumps({"results": results}).encode()
        self.send_response(200 if self.path == "/api/search/batch" else 404)
        self.send_header("content-length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *arguments: object) -> None:
        """Says nothing."""


@pytest.fixture
def url() -> Iterator[str]:
    """The address of the running service."""
    Service.asked = []
    server = HTTPServer(("127.0.0.1", 0), Service)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/"
    server.shutdown()
    server.server_close()


def test_a_running_service_is_asked_in_batches(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Two at a time here; a query that fails has no codes, and the others keep theirs."""
    monkeypatch.setattr(evaluate, "BATCH", 2)
    rows = [_judged("a"), _judged("bad"), _judged("c", system="")]
    assert ask_url(url, rows) == [["query a 1", "query a 2"], [], ["query c 1", "query c 2"]]
    assert [len(items) for items in Service.asked] == [2, 1]
    assert Service.asked[1] == [{"q": "query c", "system": None, "limit": 100}]


# --- whole runs ---


@pytest.fixture(scope="module")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Queries with known ends: a code typed alone is the only hit, so one is right, one a miss; one is of no system."""
    return _write(
        tmp_path_factory.mktemp("judged") / "small.jsonl",
        {"id": "right", "query": "0QU13JZ", "gold": ["0QU13.Z"], "slice": "code"},
        {"id": "wrong", "query": "0FT40ZZ", "gold": ["0FT44ZZ"], "slice": "code"},
        {"id": "words", "query": "cholecystectomy", "gold": ["0FT4.*"], "slice": "name"},
        {"id": "none", "query": "0FT40ZZ", "gold": [], "system": "none"},
        {"id": "gone", "query": "appendix", "gold": ["0DTJ9ZZ"]},
    )


def _run(home: Path, *arguments: str | Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(ROOT / "scripts" / "evaluate.py"), "--home", str(home), *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, env={**os.environ, "COLUMNS": "200"})


def test_a_run_measures_lists_misses_and_writes_its_rankings(home: Path, judged: Path, tmp_path: Path) -> None:
    """Two of three queries are right at once; those without a right code in this index are left out."""
    out = tmp_path / "run.json"
    done = _run(home, judged, "--out", out, "--misses")
    assert done.returncode == 0, done.stderr
    lines = {line[:28].strip(): line[28:].split() for line in done.stdout.splitlines()}
    assert lines["icd10pcs"][:4] == ["3", "0.667", "0.667", "0.667"]
    assert lines["icd10pcs code"][:4] == ["2", "0.500", "0.500", "0.500"]
    told = done.stdout.splitlines()
    missed = told[next(number for number, line in enumerate(told) if line.startswith("missed")) :]
    assert missed == [
        "missed, right operation and body part, other approach, device or qualifier: 1",
        "  wrong [code] 0FT40ZZ: 0FT40ZZ, not 0FT44ZZ",
    ]
    written = json.loads(out.read_text())
    assert written["snapshot"] == (home / "current").resolve().name
    assert written["means"]["S@10"] == pytest.approx(2 / 3)
    assert list(written["ranked"]) == ["right", "wrong", "words"]
    assert (written["ranked"]["right"], written["ranked"]["wrong"]) == (["0QU13JZ"], ["0FT40ZZ"])
    assert set(written["ranked"]["words"][:2]) == {"0FT40ZZ", "0FT44ZZ"}


def test_a_run_without_parts_is_compared_with_an_earlier_one(home: Path, judged: Path, tmp_path: Path) -> None:
    """Without retrievers and names nothing but a typed code is found: “cholecystectomy” is lost, the rest stays."""
    before = tmp_path / "before.json"
    before.write_text(json.dumps({"ranked": {"right": ["0QU13JZ"], "wrong": [], "words": ["0FT44ZZ", "0FT40ZZ"]}}))
    out = tmp_path / "after.json"
    done = _run(home, judged, "--without", "dense,lexical,names", "--against", before, "--out", out)
    assert done.returncode == 0, done.stderr
    differing = [line.split() for line in done.stdout.splitlines() if "→" in line]
    assert differing == [["1", "→", "101", "words", "cholecystectomy"]]
    assert json.loads(out.read_text())["ranked"]["words"] == []


def test_a_run_of_one_half_or_a_sample_measures_fewer(home: Path, judged: Path) -> None:
    """One of each slice: two queries."""
    done = _run(home, judged, "--sample", "1")
    assert done.returncode == 0, done.stderr
    lines = {line[:28].strip(): line[28:].split() for line in done.stdout.splitlines()}
    assert [lines[name][0] for name in ("icd10pcs", "icd10pcs code", "icd10pcs name")] == ["2", "1", "1"]


def test_an_unknown_part_is_told(home: Path, judged: Path) -> None:
    """With what was got and what could be left out."""
    done = _run(home, judged, "--without", "names,magic")
    assert done.returncode == 2
    assert "--without: got 'magic', expected dense, lexical, names, thesaurus, spelling, model" in done.stderr


def test_what_can_not_be_used_is_told(home: Path, judged: Path, tmp_path: Path) -> None:
    """No index, no file, a line that is no JSON, and no query that could be answered: status 2 and a reason."""
    (tmp_path / "bad.jsonl").write_text("{\n")
    unanswerable = _write(tmp_path / "gone.jsonl", {"query": "appendix", "gold": ["0DTJ9ZZ"]})
    for folder, file, reason in (
        (tmp_path, judged, "evaluate: no index in"),
        (home, tmp_path / "nothing.jsonl", "nothing.jsonl"),
        (home, tmp_path / "bad.jsonl", "evaluate: "),
        (home, unanswerable, "evaluate: no query has a right code in this index"),
    ):
        done = _run(folder, file)
        assert (done.returncode, reason in done.stderr, "Traceback" in done.stderr) == (2, True, False), done.stderr
