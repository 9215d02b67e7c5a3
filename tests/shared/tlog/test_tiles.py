"""Tiles and the proofs made of them, against the RFC's own definitions."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shared.tlog import tiles
from shared.tlog.tree import leaf_hash, verify_consistency, verify_inclusion
from tests.shared.tlog import naive

LEAVES = [f"entry {n}".encode() for n in range(301)]


class Log:
    """A log in memory, grown batch by batch."""

    def __init__(self) -> None:
        self.size = 0
        self.tiles: dict[tuple[int, int], bytes] = {}

    def append(self, entries: list[bytes]) -> None:
        self.tiles |= tiles.grow(self.size, [leaf_hash(e) for e in entries], self.read)
        self.size += len(entries)

    def read(self, level: int, n: int) -> bytes:
        return self.tiles[level, n]


def _grown(size: int) -> Log:
    log = Log()
    log.append(LEAVES[:size])
    return log


@pytest.mark.parametrize("size", range(301))
def test_root_of_every_size_is_the_rfc_root(size: int) -> None:
    assert tiles.root_at(size, _grown(300).read) == naive.mth(LEAVES[:size])


@given(st.lists(st.integers(0, 90), max_size=8))
@settings(max_examples=60, deadline=None)
def test_the_batches_in_which_a_tree_grew_do_not_show(batches: list[int]) -> None:
    log = Log()
    for batch in batches:
        log.append(LEAVES[log.size : min(300, log.size + batch)])
    assert log.tiles == _grown(log.size).tiles


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_inclusion_proof_is_the_rfc_path_and_verifies(data: st.DataObject) -> None:
    size = data.draw(st.integers(1, 300))
    index = data.draw(st.integers(0, size - 1))
    proof = tiles.inclusion_proof(index, size, _grown(300).read)
    assert proof == naive.path(index, LEAVES[:size])
    verify_inclusion(index, size, leaf_hash(LEAVES[index]), proof, naive.mth(LEAVES[:size]))


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_consistency_proof_is_the_rfc_proof_and_verifies(data: st.DataObject) -> None:
    new = data.draw(st.integers(1, 300))
    old = data.draw(st.integers(1, new))
    proof = tiles.consistency_proof(old, new, _grown(300).read)
    assert proof == naive.proof(old, LEAVES[:new])
    verify_consistency(old, new, proof, naive.mth(LEAVES[:old]), naive.mth(LEAVES[:new]))


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_any_flipped_bit_of_a_proof_is_noticed(data: st.DataObject) -> None:
    size = data.draw(st.integers(2, 300))
    index = data.draw(st.integers(0, size - 1))
    proof = tiles.inclusion_proof(index, size, _grown(300).read)
    which, bit = data.draw(st.integers(0, len(proof) - 1)), data.draw(st.integers(0, 255))
    broken = bytearray(proof[which])
    broken[bit // 8] ^= 1 << bit % 8
    proof[which] = bytes(broken)
    with pytest.raises(ValueError, match="another root"):
        verify_inclusion(index, size, leaf_hash(LEAVES[index]), proof, naive.mth(LEAVES[:size]))


def test_tree_of_70000_has_the_tiles_of_the_specification() -> None:
    # The example of tlog-tiles, section "Partial Tiles".
    log = Log()
    log.append([b"%d" % n for n in range(70_000)])
    widths = {key: len(tile) // 32 for key, tile in log.tiles.items()}
    assert [widths.get((0, n)) for n in (0, 272, 273, 274)] == [256, 256, 112, None]
    assert [widths.get((1, n)) for n in (0, 1, 2)] == [256, 17, None]
    assert [widths.get((2, n)) for n in (0, 1)] == [1, None]
    assert tiles.tile_width(70_000, 0, 273) == 112


@pytest.mark.parametrize(
    ("path", "n", "width"),
    [("x001/x234/067", 1234067, 256), ("000", 0, 256), ("273.p/112", 273, 112), ("x001/000.p/1", 1000, 1)],
)
def test_tile_path_is_spelt_as_the_specification_does(path: str, n: int, width: int) -> None:
    assert tiles.format_tile_path(n, width) == path
    assert tiles.parse_tile_path(path) == tiles.TileName(n, width)


@pytest.mark.parametrize(
    "path",
    ["", "0", "x000/001", "001/067", "067.p/0", "067.p/256", "067.p/01", "067.p/", "067/", "x1/067", "../067", "٠٠١"],
)
def test_any_other_spelling_of_a_tile_is_refused(path: str) -> None:
    with pytest.raises(tiles.TilePathError):
        tiles.parse_tile_path(path)


@given(st.lists(st.binary(max_size=300), max_size=20))
def test_bundle_written_then_read_is_the_same(entries: list[bytes]) -> None:
    assert tiles.decode_bundle(tiles.encode_bundle(entries)) == entries


def test_truncated_bundle_is_refused() -> None:
    with pytest.raises(ValueError, match="entry 1"):
        tiles.decode_bundle(tiles.encode_bundle([b"abc", b"defg"])[:-1])
