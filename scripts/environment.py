"""Puts a script into the project's own virtual environment, made and filled the first time."""

from __future__ import annotations

import hashlib
import os
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"


def enter(extra: str = "") -> None:
    """Returns once this process runs in `.venv` with all that pyproject.toml names, `extra` included.

    Outside of it the process is replaced by the same script inside. A set-up that was broken off, or
    that was made for other versions, is done again.
    """
    if sys.version_info < (3, 11):  # noqa: UP036 (an older Python must be told, too)
        sys.exit(f"Python 3.11 or newer is needed; this is {sys.version.split()[0]}")
    pins = [ROOT / "pyproject.toml", ROOT / "scripts" / "constraints.txt"]
    digest = hashlib.sha256(b"".join(path.read_bytes() for path in pins)).hexdigest()[:16]
    ready = VENV / f"ready-{extra or 'base'}-{digest}"
    if not ready.exists():
        _install(f"{ROOT}[{extra}]" if extra else str(ROOT), pins[1])
        ready.touch()
    if Path(sys.prefix).resolve() != VENV.resolve():
        python = VENV / "bin" / "python"
        os.execv(python, [str(python), *sys.argv])


def _install(project: str, constraints: Path) -> None:
    python = VENV / "bin" / "python"
    print("Setting up .venv with the pinned dependencies (once; a few minutes)", file=sys.stderr, flush=True)
    if not (VENV / "bin" / "pip").exists():
        subprocess.run([sys.executable, "-m", "venv", "--clear", str(VENV)], check=True)
    command = [str(python), "-m", "pip", "install", "--disable-pip-version-check", "--constraint", str(constraints)]
    if subprocess.run([*command, "--editable", project]).returncode:
        sys.exit("The dependencies could not be installed: pip's message above says why")
