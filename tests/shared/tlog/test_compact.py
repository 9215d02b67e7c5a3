"""The tree as its peaks, against the RFC's definition."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from shared.tlog import tiles
from shared.tlog.compact import CompactTree
from shared.tlog.tree import leaf_hash
from tests.shared.tlog import naive

LEAVES = [b"entry %d" % n for n in range(301)]
HELD = tiles.grow(0, [leaf_hash(entry) for entry in LEAVES[:300]], lambda level, n: b"")


def test_root_is_the_rfc_root_at_every_size() -> None:
    tree = CompactTree()
    for size in range(301):
        assert tree.root() == naive.mth(LEAVES[:size])
        tree.append(leaf_hash(LEAVES[size]))


@given(st.integers(0, 300), st.integers(0, 300))
def test_tree_taken_from_tiles_grows_on_as_if_never_stored(first: int, second: int) -> None:
    size, grown = sorted((first, second))
    tree = CompactTree.from_tiles(size, lambda level, n: HELD[level, n])
    for entry in LEAVES[size:grown]:
        tree.append(leaf_hash(entry))
    assert tree.root() == naive.mth(LEAVES[:grown])
