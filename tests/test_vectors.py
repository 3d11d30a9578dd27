"""The vector cache: what is known is not made again, and what is damaged is."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from index.vectors import VectorCache


class CountingEncoder:
    """Makes a unit vector from a text's length, and remembers what it was asked for; `fail_after` batches it dies."""

    sha256 = "0123456789abcdef0123"
    dimensions = 2

    def __init__(self, fail_after: int = 1000) -> None:
        self.asked: list[str] = []
        self._left = fail_after

    def batches(self, texts: Sequence[str]) -> Iterator[tuple[list[int], NDArray[np.float32]]]:
        for position, text in enumerate(texts):
            if not self._left:
                raise KeyboardInterrupt
            self._left -= 1
            self.asked.append(text)
            yield [position], np.array([[np.cos(len(text)), np.sin(len(text))]], dtype=np.float32)


def _embed(
    folder: Path, texts: list[str], encoder: CountingEncoder | None = None
) -> tuple[list[list[float]], list[str]]:
    encoder = encoder or CountingEncoder()
    vectors, made = VectorCache(folder, encoder).embed(texts, lambda done, total: None)
    assert made == len(encoder.asked)
    return vectors.tolist(), encoder.asked


def test_known_texts_are_not_embedded_again(tmp_path: Path) -> None:
    """The second build asks the model for the new text only, and gets the same vectors, in the order of its texts."""
    first, _ = _embed(tmp_path, ["a", "bb", "a"])
    assert first[0] == first[2] == pytest.approx([np.cos(1), np.sin(1)])
    second, asked = _embed(tmp_path, ["ccc", "bb", "a"])
    assert asked == ["ccc"]
    assert second[1:] == [first[1], first[0]]


def test_a_build_that_was_broken_off_goes_on_where_it_was(tmp_path: Path) -> None:
    """What was embedded before the interruption is known afterwards."""
    with pytest.raises(KeyboardInterrupt):
        _embed(tmp_path, ["a", "bb", "ccc"], CountingEncoder(fail_after=2))
    assert _embed(tmp_path, ["a", "bb", "ccc"])[1] == ["ccc"]


def test_a_half_written_entry_is_made_again(tmp_path: Path) -> None:
    """A file cut in the middle of its last entry loses that entry only."""
    _embed(tmp_path, ["a", "bb"])
    (file,) = tmp_path.iterdir()
    file.write_bytes(file.read_bytes()[:-3])
    assert _embed(tmp_path, ["a", "bb"])[1] == ["bb"]


def test_a_damaged_vector_is_made_again(tmp_path: Path) -> None:
    """A vector that is no unit vector is not trusted."""
    _embed(tmp_path, ["a", "bb"])
    (file,) = tmp_path.iterdir()
    content = bytearray(file.read_bytes())
    content[16:24] = np.array([3, 4], dtype=np.float32).tobytes()
    file.write_bytes(content)
    assert _embed(tmp_path, ["a", "bb"])[1] == ["a"]


def test_pruning_keeps_what_is_used(tmp_path: Path) -> None:
    """When less than half is used, the rest goes; what is used stays known."""
    _embed(tmp_path, ["a", "bb", "ccc"])
    VectorCache(tmp_path, CountingEncoder()).prune(["bb"])
    assert _embed(tmp_path, ["bb", "ccc"])[1] == ["ccc"]


def test_no_text_needs_no_model(tmp_path: Path) -> None:
    """An empty build gives no vectors."""
    assert _embed(tmp_path, []) == ([], [])
