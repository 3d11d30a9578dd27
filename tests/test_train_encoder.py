"""What the encoder learns from, and how."""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn

from index.build import Report, build
from index.records import CodeSystem
from index.snapshot import Snapshot, open_snapshot

sys.path.insert(0, str(Path(__file__).parent.parent / "scripts"))
from composed import composed
from judged import Judged, Universe
from pairs import BATCH, Asked, Pairs, names, queries
from train_encoder import LowRank, loss


@pytest.fixture(scope="module")
def snapshot(built: Report) -> Snapshot:
    """The built snapshot."""
    return open_snapshot(built.folder)


def test_the_loss_is_the_cross_entropy_of_the_own_passage() -> None:
    """By hand: cosines 1 and 0 for the first query, 0.6 and 0.8 for the second, over a temperature of 0.05."""
    queries_, passages = torch.tensor([[1.0, 0.0], [0.6, 0.8]]), torch.tensor([[1.0, 0.0], [0.0, 1.0]])
    nothing = np.zeros((2, 2), dtype=bool)
    first, second = np.log(1 + np.exp(-20)), np.log(1 + np.exp(-4))
    assert float(loss(queries_, passages, nothing)) == pytest.approx((first + second) / 2, rel=1e-4)


def test_what_is_also_right_is_no_wrong_answer() -> None:
    """With the other passage left out, nothing is left to mistake the own one for."""
    same = torch.tensor([[1.0, 0.0], [1.0, 0.0]])
    also = np.array([[False, True], [True, False]])
    assert float(loss(same, same, also)) == pytest.approx(0)
    assert float(loss(same, same, np.zeros((2, 2), dtype=bool))) == pytest.approx(np.log(2), rel=1e-5)


def test_an_untrained_adapter_changes_nothing_and_only_it_is_trained() -> None:
    """Its product is zero at first; the layer below is frozen by its owner."""
    layer = nn.Linear(8, 5).requires_grad_(False)
    states = torch.randn(3, 8)
    adapter = LowRank(layer)
    assert torch.equal(adapter(states), layer(states))
    assert {name for name, weight in adapter.named_parameters() if weight.requires_grad} == {"down", "up"}
    adapter.up.data.fill_(0.5)
    adapter.scale = 2.0
    expected = layer(states) + 2 * (states @ adapter.down.T) @ adapter.up.T
    assert torch.allclose(adapter(states), expected, atol=1e-5)


def test_names_stand_for_the_codes_that_they_name(snapshot: Snapshot) -> None:
    """An entry of the release's index with its code."""
    found = {asked.text: asked for source, asked in names(snapshot) if source == "index"}
    codes = {snapshot.documents.brief(p).code for p in found["Cholecystectomy"].right.tolist()}
    assert codes == {"0FT40ZZ", "0FT44ZZ"}
    assert found["Cholecystectomy"].weights.sum() == pytest.approx(1)


def test_queries_without_a_code_of_the_index_are_left_out(snapshot: Snapshot) -> None:
    """One that nothing answers, and one whose code is not there."""
    rows = [
        Judged("1", "sacral cement", "lay", "cpt", ("020[01]T",), "1"),
        Judged("2", "weather", "none", "", (), "2"),
        Judged("3", "liver transplant", "lay", "cpt", ("47135",), "3"),
    ]
    ((row, asked),) = queries(rows, Universe(snapshot), snapshot)
    assert row.id == "1"
    assert [snapshot.documents.brief(p).code for p in asked.right.tolist()] == ["0200T", "0201T"]


def test_a_batch_pairs_each_query_with_a_right_and_a_wrong_passage(
    snapshot: Snapshot,
) -> None:
    """Right passages are of right codes, wrong ones of none, and no right passage counts as wrong for its query."""
    held: dict[str, list[Asked]] = {}
    for source, asked in names(snapshot):
        held.setdefault(source, []).append(asked)
    drawn = Pairs(snapshot, held)
    drawn.mine(snapshot.encoder.encode)
    texts, passages, also = drawn.batch()
    assert (len(texts), len(passages), also.shape) == (BATCH, 2 * BATCH, (BATCH, 2 * BATCH))
    assert not also[np.arange(BATCH), np.arange(BATCH)].any()
    of_text: dict[str, set[int]] = {}
    for asked in (one for group in held.values() for one in group):
        of_text.setdefault(asked.text, set()).update(asked.right.tolist())  # a name may hold in two systems
    holders: dict[str, set[int]] = {}
    flat, starts = snapshot.passages.documents(np.arange(len(snapshot.passages)))
    for number in range(len(snapshot.passages)):
        holders.setdefault(snapshot.passages.text(number), set()).update(flat[starts[number] : starts[number + 1]])
    own = {
        asked.text: asked for group in held.values() for asked in group if len(of_text[asked.text]) == len(asked.right)
    }
    for row, text in enumerate(texts):
        assert of_text[text] & holders[passages[row]], text
        if text in own:
            for column in np.flatnonzero(also[row]):
                assert of_text[text] & holders[passages[column]], "what is left out is right"
            assert not of_text[text] & holders[passages[BATCH + row]], "the wrong passage is wrong"


def test_systems_are_not_mixed_in_siblings(snapshot: Snapshot) -> None:
    """A wrong code of an ICD-10-PCS query is of its table or body part."""
    held = {"index": [asked for source, asked in names(snapshot) if source == "index"]}
    drawn = Pairs(snapshot, held)
    position = snapshot.documents.find(CodeSystem.ICD10PCS, "0FT44ZZ")
    assert position is not None
    for _ in range(4):
        codes = {snapshot.documents.brief(p).code for p in drawn._siblings(position).tolist()}
        assert all(code[:2] == "0F" for code in codes)


def test_composed_queries_name_what_their_codes_do(snapshot: Snapshot) -> None:
    """All codes of a query are of one table and body part, and diagnostic where it is a biopsy."""
    texts = set()
    for asked in composed(snapshot, 200):
        documents = [snapshot.documents[position] for position in asked.right.tolist()]
        assert (
            len({(document.code[:3], document.characters[3].label.rpartition(",")[0]) for document in documents}) == 1
        )
        diagnostic = {document.characters[6].label == "Diagnostic" for document in documents}
        assert diagnostic == {"biopsy" in asked.text}
        assert "{" not in asked.text
        texts.add(asked.text)
    assert "total removal of gallbladder" in texts
    assert "laparoscopic total removal of gallbladder" in texts


def test_without_tables_nothing_is_composed(tmp_path: Path) -> None:
    """The bundled pages have none."""
    assert list(composed(open_snapshot(build([], tmp_path).folder), 10)) == []
