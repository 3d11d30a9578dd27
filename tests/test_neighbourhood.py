"""The map of similar codes."""

from __future__ import annotations

import numpy as np
import pytest

from index.build import Report
from index.records import CodeSystem
from index.snapshot import open_snapshot
from search.web.neighbourhood import HEIGHT, WIDTH, neighbourhood, scaled


def test_points_of_a_plane_keep_their_distances() -> None:
    """A rectangle of 3 by 4 in five dimensions: sides and diagonal come back, and all of them are kept."""
    flat = np.array([[0, 0], [3, 0], [3, 4], [0, 4]], dtype=float)
    turned = flat @ np.array([[0.6, 0.8, 0, 0, 0], [-0.8, 0.6, 0, 0, 0]]) + 7
    plane, kept = scaled(turned)
    assert kept == pytest.approx(1)
    distances = np.linalg.norm(plane[:, None] - plane[None], axis=2)
    assert distances[0] == pytest.approx([0, 3, 5, 4])


def test_equal_vectors_have_no_map() -> None:
    """There is no distance to keep."""
    assert scaled(np.ones((6, 4)))[1] == 0


def test_every_code_is_on_the_map(built: Report) -> None:
    """Within the picture, the code itself first; labels in one place stand apart. Few codes have no map."""
    snapshot = open_snapshot(built.folder)
    codes = ("0201T", "0200T", "22510", "22511", "22513", "22514", "27447", "27446", "47562", "47563")
    positions = [snapshot.documents.find(CodeSystem.CPT, code) for code in codes]
    document, *others = [snapshot.documents.brief(position) for position in positions if position is not None]
    points = neighbourhood(snapshot, document, others)
    assert [point.document for point in points] == [document, *others]
    assert all(0 < point.x < WIDTH and 0 < point.y < HEIGHT for point in points)
    for one in points:
        for other in points:
            if one is not other and abs(one.x - other.x) < 50:
                assert abs(one.label_y - other.label_y) >= 10
    assert neighbourhood(snapshot, document, others[:2]) == []
