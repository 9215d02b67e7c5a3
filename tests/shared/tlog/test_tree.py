"""The proof verifiers against the published vectors, good and bad."""

import base64
import json
from typing import Any

import pytest

from shared.tlog.tree import EMPTY_ROOT, ProofError, leaf_hash, node_hash, verify_consistency, verify_inclusion
from tests.support.common import REFERENCE_DATA

VECTORS = REFERENCE_DATA / "tlog"


def _vectors(name: str) -> list[Any]:
    file = VECTORS / name
    if not file.exists():
        return [pytest.param(None, marks=pytest.mark.skip(reason=f"needs ../shared/data/tlog/{name}"))]
    return [pytest.param(case, id=case["file"]) for case in json.loads(file.read_text())]


def _hashes(case: dict[str, Any]) -> list[bytes]:
    return [base64.b64decode(value) for value in case["proof"] or []]


@pytest.mark.parametrize("case", _vectors("inclusion.json"))
def test_inclusion_vector_is_judged_as_published(case: dict[str, Any]) -> None:
    root, leaf = base64.b64decode(case["root"] or ""), base64.b64decode(case["leafHash"] or "")
    try:
        verify_inclusion(case["leafIdx"], case["treeSize"], leaf, _hashes(case), root)
        refused = False
    except ProofError:
        refused = True
    assert refused == case["wantErr"], case["desc"]


@pytest.mark.parametrize("case", _vectors("consistency.json"))
def test_consistency_vector_is_judged_as_published(case: dict[str, Any]) -> None:
    root1, root2 = base64.b64decode(case["root1"] or ""), base64.b64decode(case["root2"] or "")
    try:
        verify_consistency(case["size1"], case["size2"], _hashes(case), root1, root2)
        refused = False
    except ProofError:
        refused = True
    assert refused == case["wantErr"], case["desc"]


def test_empty_tree_has_the_hash_of_nothing() -> None:
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_empty_leaf_has_the_hash_of_the_rfc_prefix() -> None:
    # SHA-256 of the single byte 0x00: published in Certificate Transparency's test vectors.
    assert leaf_hash(b"").hex() == "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"


def test_an_entry_that_spells_an_inner_node_does_not_hash_to_it() -> None:
    left, right = leaf_hash(b"a"), leaf_hash(b"b")
    assert leaf_hash(left + right) != node_hash(left, right)
