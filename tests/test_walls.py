"""Which module may import what: the walls of the house."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent

# Package → the only files that may import it.
ALLOWED = {
    "faiss": {"index/dense.py"},
    "tantivy": {"index/lexical.py"},
    "sentence_transformers": {"index/encoder.py"},
    "torch": {"index/encoder.py"},
    "onnxruntime": {"index/encoder.py"},
    "lxml": {"index/sources/xml.py"},
}


def _imports(path: Path) -> set[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            found |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module.split(".")[0])
    return found


def _modules(folder: str) -> list[Path]:
    return sorted((ROOT / folder).rglob("*.py"))


@pytest.mark.parametrize("package", ALLOWED)
def test_a_heavy_package_is_imported_in_one_place(package: str) -> None:
    """Each of the heavy libraries has one file that knows it."""
    importing = {
        path.relative_to(ROOT).as_posix()
        for path in [*_modules("index"), *_modules("search")]
        if package in _imports(path)
    }
    assert importing == ALLOWED[package]


def test_index_knows_neither_search_nor_http() -> None:
    """index imports nothing of search, FastAPI, Starlette or uvicorn."""
    for path in _modules("index"):
        assert not _imports(path) & {"search", "fastapi", "starlette", "uvicorn", "pydantic"}, path


def test_the_service_never_imports_torch() -> None:
    """Importing all of the service loads neither torch nor sentence-transformers."""
    code = "import sys, search.app;print(sorted({'torch', 'transformers', 'sentence_transformers'} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
