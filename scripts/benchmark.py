#!/usr/bin/env python3
"""Measures speed, memory and size over an index, in this process and through HTTP, and beside a peer.

Writes a table to standard output, and all figures as JSON with --out. Queries are our own (scripts/queries/), each
asked once where they count as uncached. The index must have been built already; what a build costs is measured with
the vectors that the home holds, and the encoder's pace on a sample of its passages.
"""

from __future__ import annotations

import environment

environment.enter()

import os  # noqa: E402

# As scripts/serve sets them for itself, before NumPy and FAISS are loaded.
os.environ.update(OMP_NUM_THREADS="1", OPENBLAS_NUM_THREADS="1")

import argparse  # noqa: E402
import json  # noqa: E402
import platform  # noqa: E402
import random  # noqa: E402
import re  # noqa: E402
import shutil  # noqa: E402
import socket  # noqa: E402
import subprocess  # noqa: E402
import sys  # noqa: E402
import tempfile  # noqa: E402
import time  # noqa: E402
import urllib.error  # noqa: E402
import urllib.request  # noqa: E402
from collections import defaultdict  # noqa: E402
from collections.abc import Callable, Iterator, Sequence  # noqa: E402
from contextlib import contextmanager  # noqa: E402
from datetime import UTC, datetime  # noqa: E402
from functools import partial  # noqa: E402
from itertools import count  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402
from urllib.parse import quote  # noqa: E402

import evaluate  # noqa: E402
import faiss  # noqa: E402
import judged  # noqa: E402
import numpy as np  # noqa: E402
import peer  # noqa: E402
from numpy.typing import NDArray  # noqa: E402

from index import dense  # noqa: E402
from index.snapshot import Snapshot, SnapshotError, current, open_snapshot  # noqa: E402
from search import engine as engine_module  # noqa: E402
from search.api.models import search_answer  # noqa: E402
from search.engine import SearchEngine  # noqa: E402
from search.request import SearchRequest  # noqa: E402
from search.settings import Settings  # noqa: E402

SCRIPTS = Path(__file__).resolve().parent
CLIENTS = (1, 8, 32)
SIZES = (1_000, 10_000, 88_000, 1_000_000)
SHORT = 5  # words of a short query

# Of a realistic mix: so many different queries, drawn by Zipf's law, as searches of people are.
MIX = 500

# Arrivals at overload, as a multiple of the throughput at saturation, and what share of it must be kept.
OVERLOAD = 4

# Where each load begins among the queries: behind those of the one before, whose answers the service still keeps.
_BEGINNINGS = count(0, 1500)

Figures = dict[str, Any]


def main() -> int:
    """Returns 0 when measured, 2 when there is no index to measure."""
    options = _parser().parse_args()
    try:
        live = current(options.home)
        if live is None:
            raise SnapshotError(f"no index in {options.home}: build one with scripts/rebuild_index.py")
        snapshot = open_snapshot(live)
    except SnapshotError as error:
        print(f"benchmark: {error}", file=sys.stderr)
        return 2
    parts: dict[str, Callable[[], Figures]] = {
        "machine": machine,
        "process": lambda: in_process(snapshot, options.queries),
        "http": lambda: over_http(options.home, live, options.seconds),
        "index": lambda: by_size(snapshot),
        "build": lambda: building(snapshot, options.home, options.releases),
        "relevance": lambda: relevance(snapshot, options.judged),
    }
    if options.against:
        parts["peer"] = lambda: against(snapshot, options.work, options.judged, options.seconds)
    chosen = options.only.split(",") if options.only else list(parts)
    found: Figures = {}
    for name, measure in parts.items():
        if name in chosen:
            started = time.perf_counter()
            print(f"{name} …", file=sys.stderr, flush=True)
            found[name] = measure() | {"took": round(time.perf_counter() - started, 1)}
    print(table(found))
    if options.out:
        options.out.write_text(json.dumps(found, indent=1), encoding="utf-8")
    return 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--home", type=Path, default=Settings.from_environment().home, help="the index (%(default)s)")
    parser.add_argument(
        "--releases", type=Path, nargs="*", default=[], help="what it was built from, to build it again"
    )
    parser.add_argument(
        "--judged", type=Path, nargs="*", default=[], help="judged queries, as scripts/evaluate.py takes"
    )
    parser.add_argument("--against", choices=("txtai",), help="measure this peer over the same titles and queries too")
    parser.add_argument("--work", type=Path, default=Path(tempfile.gettempdir()) / "procedure-search-benchmark")
    parser.add_argument("--seconds", type=float, default=6.0, help="how long each load is held (%(default)s)")
    parser.add_argument("--queries", type=int, default=600, help="queries asked in process (%(default)s)")
    parser.add_argument("--only", default="", help="parts, by commas: process, http, index, build, relevance, peer")
    parser.add_argument("--out", type=Path, help="write the figures as JSON")
    return parser


def machine() -> Figures:
    """Returns what the figures were taken on, and when."""
    told = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    name = found[1] if (found := re.search(r"model name\s*: (.*)", told)) else platform.processor()
    flags = found[1].split() if (found := re.search(r"flags\s*: (.*)", told)) else []
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    vector = [flag for flag in ("avx2", "avx512f", "avx512_vnni") if flag in flags]
    load = os.getloadavg()[0]
    day = datetime.now(UTC).isoformat(timespec="minutes")
    return {"day": day, "cores": os.cpu_count(), "cpu": name, "flags": vector, "GiB": round(memory, 1), "load": load}


def own_queries() -> list[str]:
    """Returns our own queries, each once, in an order that is the same every time."""
    files = sorted((SCRIPTS / "queries").glob("share-*.jsonl"))
    asked = [json.loads(line)["query"] for path in files for line in path.read_text(encoding="utf-8").splitlines()]
    asked = list(dict.fromkeys(asked))
    random.Random(1).shuffle(asked)
    return asked


def percentiles(seconds: Sequence[float]) -> Figures:
    """Returns the median, 95th and 99th percentile in milliseconds."""
    if not seconds:
        return {}
    p50, p95, p99 = (np.percentile(seconds, [50, 95, 99]) * 1000).tolist()
    return {"p50": round(p50, 2), "p95": round(p95, 2), "p99": round(p99, 2)}


def in_process(snapshot: Snapshot, most: int) -> Figures:
    """Returns the latency of the engine, each stage's mean, and the encoder beside the bare onnxruntime call."""
    engine = SearchEngine(snapshot)
    spent: defaultdict[str, float] = defaultdict(float)
    latencies: list[float] = []
    with _timed(engine, spent):
        for number, query in enumerate(own_queries()[: most + 20]):
            if number == 20:  # the first ones touch pages for the first time
                spent.clear()
                latencies.clear()
            started = time.perf_counter()
            answer = engine.search(SearchRequest.checked(query))
            latencies.append(time.perf_counter() - started)
            started = time.perf_counter()
            search_answer(answer, snapshot.manifest).model_dump_json()
            spent["serialise"] += time.perf_counter() - started
    total = sum(latencies) + spent["serialise"]
    stages = {name: round(1000 * seconds / len(latencies), 3) for name, seconds in spent.items()}
    stages["the rest"] = round(1000 * (total - sum(spent.values())) / len(latencies), 3)
    return {"latency": percentiles(latencies), "stages, mean ms": stages, "encode, ms": _encoding(snapshot)}


@contextmanager
def _timed(engine: SearchEngine, spent: dict[str, float]) -> Iterator[None]:
    """Adds up what each stage of a search takes, as long as it is entered."""

    def timed(name: str, call: Callable[..., Any]) -> Callable[..., Any]:
        def measured(*given: Any, **named: Any) -> Any:
            started = time.perf_counter()
            try:
                return call(*given, **named)
            finally:
                spent[name] += time.perf_counter() - started

        return measured

    snapshot = engine.snapshot
    places: list[tuple[str, Any, str]] = [
        ("understand", engine, "understand"),
        ("encode", snapshot.encoder, "encode"),
        ("dense", snapshot.dense, "search"),
        ("lexical", snapshot.lexical, "search"),
        ("candidates", engine_module, "candidates"),
        ("features", engine_module, "at_hand"),
        ("features", engine_module, "look_closer"),
        ("trees", engine.model, "scores"),
        ("confidence", engine.confidence, "of"),
        ("hits", engine, "_hits"),
    ]
    held = [(owner, method, getattr(owner, method)) for _, owner, method in places]
    for (name, owner, method), (_, _, call) in zip(places, held, strict=True):
        setattr(owner, method, timed(name, call))
    try:
        yield
    finally:
        for owner, method, call in held:
            setattr(owner, method, call)


def _encoding(snapshot: Snapshot) -> Figures:
    """Returns what a short query takes to encode, and the bare onnxruntime call of the same tokens alone."""
    encoder = snapshot.encoder
    short = [query for query in own_queries() if len(query.split()) <= SHORT][:300]
    whole, bare = [], []
    for query in short:
        started = time.perf_counter()
        encoder.encode([query])
        whole.append(time.perf_counter() - started)
        tokens = encoder._tokenizer.encode_batch([query])
        ids = np.array([tokens[0].ids], dtype=np.int64)
        inputs = {"input_ids": ids, "attention_mask": np.ones_like(ids)}
        started = time.perf_counter()
        encoder._session.run(["vector"], inputs)
        bare.append(time.perf_counter() - started)
    one, other = float(np.median(whole)), float(np.median(bare))
    return {"ours": round(1000 * one, 2), "bare": round(1000 * other, 2), "ratio": round(one / other, 2)}


def over_http(home: Path, live: Path, seconds: float) -> Figures:
    """Returns latencies, throughput, memory, cold start and behaviour at overload, of one and of two processes."""
    found: Figures = {}
    for processes in (1, 2):
        with _serving(home, processes) as (server, url, start):
            every = own_queries()
            short = [query for query in every if len(query.split()) <= SHORT]
            mix = _mix(every)
            load(url, every[-100:], 1, 1.0)
            figures: Figures = {"cold start, s": start, "resident at start, MiB": resident(server.pid)}
            for clients in CLIENTS:
                figures[f"uncached, {clients} clients"] = load(url, every, clients, seconds)
            figures["uncached short queries, 32 clients"] = load(url, short, 32, seconds)
            figures["realistic mix, 32 clients"] = load(url, mix, 32, seconds)
            typed = [query[:length] for query in every[:400] for length in range(2, min(9, len(query)))]
            suggested = url.replace("/api/search?q=", "/api/suggest?q=")
            figures["suggestions, 1 client"] = load(suggested, typed, 1, min(seconds, 3))
            figures["resident, MiB"] = resident(server.pid)
            peak = figures["uncached, 32 clients"]["per second"]
            figures["overload"] = load(url, every, 512, seconds, rate=OVERLOAD * peak)
            found[f"{processes} process{'es' * (processes > 1)}"] = figures
    size = sum(path.stat().st_size for path in live.rglob("*") if path.is_file())
    return found | {"snapshot, MiB": round(size / 2**20)}


def _mix(queries: Sequence[str]) -> list[str]:
    """Returns many questions of `MIX` different ones: the n-th commonest asked in proportion to 1 / n."""
    weights = 1 / np.arange(1, MIX + 1)
    drawn = np.random.default_rng(1).choice(MIX, 20_000, p=weights / weights.sum())
    return [queries[number] for number in drawn.tolist()]


@contextmanager
def _serving(home: Path, processes: int) -> Iterator[tuple[subprocess.Popen[bytes], str, float]]:
    """Starts the service; gives it, the beginning of a search's address, and the seconds to the first answer."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, str(SCRIPTS / "serve"), "--home", str(home), "--port", str(port)]
    started = time.perf_counter()
    with subprocess.Popen([*command, "--processes", str(processes)], stdout=subprocess.DEVNULL) as server:
        url = f"http://127.0.0.1:{port}/api/search?q="
        wait_for(f"{url}knee+replacement", 60)
        took = round(time.perf_counter() - started, 2)
        time.sleep(2)  # until the other processes answer too
        try:
            yield server, url, took
        finally:
            server.terminate()
            server.wait()


def wait_for(url: str, seconds: float) -> None:
    """Returns when the address answers.

    Raises:
        TimeoutError: it does not in time.
    """
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            with urllib.request.urlopen(url, timeout=5) as answer:
                answer.read()
                return
        except (OSError, urllib.error.URLError):
            time.sleep(0.01)
    raise TimeoutError(f"{url} does not answer within {seconds:g} s")


def load(url: str, queries: Sequence[str], clients: int, seconds: float, rate: float = 0.0) -> Figures:
    """Returns latencies and throughput of a load from a process of its own, so that nothing but cores is shared.

    `clients` ask one after the other without a pause; with a `rate`, requests arrive so often a second instead, on at
    most `clients` connections. Every query is asked once before any is asked again.
    """
    begin = next(_BEGINNINGS) % len(queries)
    asked = json.dumps([url + quote(query) for query in (*queries[begin:], *queries[:begin])])
    command = [sys.executable, str(SCRIPTS / "load.py"), str(clients), str(seconds), str(rate)]
    told = subprocess.run(command, input=asked, capture_output=True, text=True, check=True).stdout
    raw = json.loads(told)
    figures = percentiles(raw["latencies"])
    figures["per second"] = round(len(raw["latencies"]) / raw["seconds"], 1)
    figures |= {name: raw[name] for name in ("refused", "failed", "late") if raw[name]}
    return figures


def resident(process: int) -> Figures:
    """Returns the resident memory in MiB of a process and those it started: each one's, and all without double."""
    children = Path(f"/proc/{process}/task/{process}/children").read_text(encoding="utf-8").split()
    members = [str(process), *children]
    one = [_status(member, "status", "VmRSS") for member in members]
    shared = [_status(member, "smaps_rollup", "Pss") for member in members]
    return {"each": one, "all, shared pages once": round(sum(shared))}


def _status(process: str, file: str, name: str) -> int:
    text = Path(f"/proc/{process}/{file}").read_text(encoding="utf-8")
    found = re.search(rf"^{name}:\s+(\d+) kB", text, re.MULTILINE)
    return round(int(found[1]) / 1024) if found else 0


def by_size(snapshot: Snapshot) -> Figures:
    """Returns what a search of the ten nearest costs by number of passages and kind of index, with its recall.

    Beyond the passages that there are, they are repeated with a little noise.
    """
    held = snapshot.dense.vectors(np.arange(len(snapshot.dense)))
    queries = np.concatenate([snapshot.encoder.encode([query]) for query in own_queries()[:200]])
    drawn = np.random.default_rng(1)
    found: Figures = {}
    for size in SIZES:
        rows = drawn.permutation(len(held))[:size] if size <= len(held) else drawn.integers(0, len(held), size)
        vectors = held[rows]
        if size > len(held):
            vectors += 0.02 * drawn.standard_normal(vectors.shape, dtype=np.float32)
            vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        exact = faiss.IndexFlatIP(vectors.shape[1])
        exact.add(vectors)
        truth = exact.search(queries, 10)[0][:, -1]
        kinds: dict[str, Callable[[], Any]] = {
            "exact float32": partial(lambda index: index, exact),
            "IVF int8": partial(_ivf, vectors),
        }
        if size <= 100_000:  # building beyond takes minutes
            kinds["HNSW int8"] = partial(_hnsw, vectors)
        figures: Figures = {}
        for name, make in kinds.items():
            started = time.perf_counter()
            index = make()
            took = time.perf_counter() - started
            figures[name] = _searched(_first_ten(index), queries)
            figures[name]["recall@10"] = _recall(figures[name].pop("ids"), vectors, queries, truth)
            figures[name] |= {"MiB": round(len(faiss.serialize_index(index)) / 2**20, 1), "build, s": round(took, 1)}
            del index
        figures["ours"] = _ours(vectors, queries, truth)
        found[f"{size:,}"] = figures
    return found


def _ours(vectors: NDArray[np.float32], queries: NDArray[np.float32], truth: NDArray[np.float32]) -> Figures:
    """Returns the figures of the project's own index: as it serves, several hundred passages found for ten."""
    with tempfile.TemporaryDirectory() as folder:
        started = time.perf_counter()
        dense.write(Path(folder), vectors)
        took = time.perf_counter() - started
        index = dense.DenseIndex(Path(folder))
        index.search(queries[0], engine_module.PASSAGES_FOUND)
        figures = _searched(lambda query: index.search(query, engine_module.PASSAGES_FOUND)[0][:10], queries)
        figures["recall@10"] = _recall(figures.pop("ids"), vectors, queries, truth)
        size = sum(path.stat().st_size for path in Path(folder).iterdir())
    return figures | {"MiB": round(size / 2**20, 1), "build, s": round(took, 1)}


def _searched(search: Callable[[NDArray[np.float32]], NDArray[np.int64]], queries: NDArray[np.float32]) -> Figures:
    latencies, found = [], []
    for query in queries:
        started = time.perf_counter()
        found.append(search(query))
        latencies.append(time.perf_counter() - started)
    return {**percentiles(latencies), "ids": found}


def _recall(
    found: Sequence[NDArray[np.int64]],
    vectors: NDArray[np.float32],
    queries: NDArray[np.float32],
    truth: NDArray[np.float32],
) -> float:
    """Returns the share of the first ten that are as near as the exact tenth: of equal ones any will do."""
    right = [
        (vectors[ids[ids >= 0]] @ query >= tenth - 1e-4).sum() / 10
        for ids, query, tenth in zip(found, queries, truth, strict=True)
    ]
    return round(float(np.mean(right)), 4)


def _first_ten(index: Any) -> Callable[[NDArray[np.float32]], NDArray[np.int64]]:
    def search(query: NDArray[np.float32]) -> NDArray[np.int64]:
        return np.asarray(index.search(query[np.newaxis], 10)[1][0])

    return search


def _ivf(vectors: NDArray[np.float32]) -> Any:
    lists = max(1, int(2 * np.sqrt(len(vectors))))
    index: Any = faiss.index_factory(vectors.shape[1], f"IVF{lists},SQ8", faiss.METRIC_INNER_PRODUCT)
    index.train(vectors[: 64 * lists])
    index.add(vectors)
    index.nprobe = max(1, lists // 8)
    return index


def _hnsw(vectors: NDArray[np.float32]) -> Any:
    index: Any = faiss.index_factory(vectors.shape[1], "HNSW32,SQ8", faiss.METRIC_INNER_PRODUCT)
    index.hnsw.efConstruction = 80
    index.hnsw.efSearch = 200
    index.train(vectors)
    index.add(vectors)
    return index


def building(snapshot: Snapshot, home: Path, releases: Sequence[Path]) -> Figures:
    """Returns the encoder's pace on a sample of passages, and the stages of a build whose vectors are all there."""
    passages = snapshot.passages
    sample = np.random.default_rng(1).permutation(len(passages))[:1500].tolist()
    texts = [passages.text(position) for position in sample]
    code = (
        "import json, sys, time\n"
        "from index.encoder import PassageEncoder\n"
        "texts = json.load(sys.stdin)\n"
        "encoder = PassageEncoder()\n"
        "list(encoder.batches(texts[:64]))\n"
        "started = time.perf_counter()\n"
        "list(encoder.batches(texts))\n"
        "print(time.perf_counter() - started)\n"
    )
    environ = {
        name: value for name, value in os.environ.items() if name not in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")
    }
    told = subprocess.run(
        [sys.executable, "-c", code], input=json.dumps(texts), capture_output=True, text=True, check=True, env=environ
    )
    pace = len(texts) / float(told.stdout.split()[-1])
    encoding = len(passages) / pace
    figures: Figures = {
        "passages": len(passages),
        "passages per second": round(pace),
        "encoding all, s": round(encoding),
    }
    if releases:
        with tempfile.TemporaryDirectory() as folder:
            shutil.copytree(home / "vectors", Path(folder) / "vectors")
            command = [sys.executable, str(SCRIPTS / "rebuild_index.py"), "--home", folder, *map(str, releases)]
            done = subprocess.run(command, capture_output=True, text=True, check=True, env=environ).stdout
        stages = re.search(r"^took: (.*)$", done, re.MULTILINE)
        took = {name: float(value) for name, value in re.findall(r"([a-z ]+) ([0-9.]+) s", stages[1] if stages else "")}
        took = {name.strip(): seconds for name, seconds in took.items()}
        rest = sum(took.values())
        figures |= {"stages with all vectors there, s": took, "all but encoding, s": round(rest, 1)}
        figures["full build over encoding"] = round((encoding + rest) / encoding, 2)
        peak = re.search(r"peak memory ([0-9,]+) MiB", done)
        figures["peak, MiB"] = int(peak[1].replace(",", "")) if peak else None
    return figures


def relevance(snapshot: Snapshot, judged: Sequence[Path]) -> Figures:
    """Returns the means over judged queries, those that the index as it serves finds; nothing without any."""
    rows, universe = _judged(snapshot, judged)
    if not rows:
        return {}
    return _means(rows, evaluate.ask_engine(SearchEngine(snapshot), rows), universe)


def _judged(snapshot: Snapshot, paths: Sequence[Path]) -> tuple[list[Any], Any]:
    universe = judged.Universe(snapshot)
    rows = [row for path in paths for row in judged.read(path)]
    return judged.sampled([row for row in rows if universe.gold(row)], 100), universe


def _means(rows: Sequence[Any], ranked: Sequence[list[str]], universe: Any) -> Figures:
    values = np.array([evaluate.scores(codes, universe.gold(row)) for row, codes in zip(rows, ranked, strict=True)])
    return {name: round(float(mean), 3) for name, mean in zip(evaluate.METRICS, values.mean(axis=0), strict=True)} | {
        "queries": len(rows)
    }


def against(snapshot: Snapshot, work: Path, judged: Sequence[Path], seconds: float) -> Figures:
    """Returns the same figures of txtai over the titles of all valid codes, with the same model and queries."""
    documents = snapshot.documents
    valid = np.flatnonzero(documents.valid(datetime.now(UTC).date())).tolist()
    codes = [documents.brief(position) for position in valid]
    titles = {f"{code.system}:{code.code}": code.title for code in codes if code.kind == "procedure"}
    with peer.serving(work, titles) as (server, url, figures):
        every = own_queries()
        load(url, every[-100:], 1, 1.0)
        for clients in CLIENTS:
            figures[f"uncached, {clients} clients"] = load(url, every, clients, seconds)
        figures["resident, MiB"] = resident(server.pid)
        rows, universe = _judged(snapshot, judged)
        if rows:
            ranked = [peer.ask(url, row.query, row.system) for row in rows]
            figures["relevance"] = _means(rows, ranked, universe)
    return figures


def table(found: Figures) -> str:
    """Returns the figures as text, one a line, nested names joined."""
    lines: list[str] = []

    def add(name: str, value: Any) -> None:
        if isinstance(value, dict) and all(not isinstance(part, dict) for part in value.values()):
            lines.append(f"{name:58} " + "  ".join(f"{key} {part}" for key, part in value.items()))
        elif isinstance(value, dict):
            for key, part in value.items():
                add(f"{name} / {key}" if name else key, part)
        else:
            lines.append(f"{name:58} {value}")

    add("", found)
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
