#!/usr/bin/env python3
"""Rebuilds the index from release files and procedure pages, and publishes it.

A running service takes the new snapshot up by itself. If anything fails, the old one goes on serving.
"""

from __future__ import annotations

import environment

environment.enter()

import argparse  # noqa: E402
import resource  # noqa: E402
import sys  # noqa: E402
from pathlib import Path  # noqa: E402
from typing import Any  # noqa: E402

from tqdm import tqdm  # noqa: E402

from index import snapshot  # noqa: E402
from index.build import Report, build  # noqa: E402
from index.encoder import BUNDLED_MODEL, EncoderError  # noqa: E402
from index.snapshot import SnapshotError  # noqa: E402
from index.sources import SourceError  # noqa: E402
from search.settings import Settings, SettingsError  # noqa: E402


class Progress:
    """Shows each stage on standard error, with a bar where what is to do is known."""

    def __init__(self) -> None:
        self._bar: tqdm[Any] | None = None

    def __call__(self, stage: str, done: int, total: int) -> None:
        if total and self._bar is None:
            self._bar = tqdm(total=total, desc=stage, file=sys.stderr, mininterval=0.5)
        if total and self._bar is not None:
            self._bar.update(done - self._bar.n)
        if not total:
            self.close()
            print(f"{stage} …", file=sys.stderr, flush=True)

    def close(self) -> None:
        """Ends the bar that is shown."""
        if self._bar is not None:
            self._bar.close()
            self._bar = None


def main() -> int:
    """Returns 0 when done, 2 when something given can't be used."""
    try:
        settings = Settings.from_environment()
        options = _parser(settings.home).parse_args()
        if options.list:
            _list(options.home)
        elif options.rollback:
            print(f"current is now {snapshot.rollback(options.home).name}")
        else:
            progress = Progress()
            report = build(options.paths, options.home, model=options.model, strict=options.strict, observe=progress)
            progress.close()
            _print(report)
    except (SettingsError, SourceError, EncoderError, SnapshotError, OSError) as error:
        print(f"rebuild_index: {error}\nThe index is as it was.", file=sys.stderr)
        return 2
    return 0


def _parser(home: Path) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("paths", nargs="*", type=Path, metavar="PATH", help="release files, pages, or folders of them")
    parser.add_argument("--home", type=Path, default=home, help="where snapshots live (%(default)s)")
    parser.add_argument(
        "--model", default=BUNDLED_MODEL, help="a sentence-transformers model: folder or name (%(default)s)"
    )
    parser.add_argument("--strict", action="store_true", help="stop at the first bad row instead of skipping it")
    parser.add_argument("--list", action="store_true", help="list the snapshots and stop")
    parser.add_argument("--rollback", action="store_true", help="go back to the snapshot before the current one")
    return parser


def _list(home: Path) -> None:
    live = snapshot.current(home)
    for folder in snapshot.published(home):
        mark = "*" if folder == live else " "
        try:
            manifest = snapshot.verify(folder)
        except SnapshotError as error:
            print(f"{mark} {folder.name}  REFUSED {error}")
            continue
        releases = ", ".join(f"{release.system} {release.version}" for release in manifest.releases)
        print(f"{mark} {folder.name}  {manifest.passages:,} passages  {releases}")


def _print(report: Report) -> None:
    if not report.readings:
        took = sum(report.seconds.values())
        print(f"nothing has changed since {report.folder} was built: it stays current ({took:.1f} s)")
        return
    for problem in report.problems:
        print(f"skipped or noted: {problem}")
    for release in report.manifest.releases:
        print(f"read: {release.file}: {release.system} {release.version}, {release.documents:,} entries")
    for system, counts in report.manifest.counts.items():
        print(f"holds: {system}: " + ", ".join(f"{count:,} {kind}s" for kind, count in counts.items()))
    size = sum(int(entry["bytes"]) for entry in report.manifest.files.values())
    print(
        f"texts: {report.texts:,} of all codes, {report.manifest.passages:,} unique, {report.embedded:,} embedded anew"
    )
    print(f"wrote: {size / 2**20:,.0f} MiB, {report.folder}")
    print("took: " + ", ".join(f"{stage} {seconds:.1f} s" for stage, seconds in report.seconds.items()))
    # Linux counts ru_maxrss in KiB.
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(f"in all {sum(report.seconds.values()):.1f} s, peak memory {peak:,.0f} MiB")


if __name__ == "__main__":
    sys.exit(main())
