"""Both vector indexes give the same answers: the exact one always, pgvector on a real PostgreSQL."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
import sqlalchemy as sa

from services.diagnosis.search.exact import ExactIndex
from services.diagnosis.search.index import Entry, VectorIndex
from services.diagnosis.search.pgvector import PgvectorIndex
from shared.database import create_engine

AXES = [
    Entry("along-x", 0, np.array([2.0, 0.0, 0.0], np.float32)),
    Entry("along-y", 1, np.array([0.0, 3.0, 0.0], np.float32)),
    Entry("between", 2, np.array([1.0, 1.0, 0.0], np.float32)),
]


@pytest.fixture(params=["exact", pytest.param("pgvector", marks=pytest.mark.postgres)])
def index(request: pytest.FixtureRequest) -> Iterator[VectorIndex]:
    if request.param == "exact":
        yield ExactIndex()
        return
    engine = create_engine(request.getfixturevalue("postgres_url"))
    yield PgvectorIndex(engine, "sha256:test")
    with engine.begin() as connection:
        connection.execute(sa.text("DROP TABLE joint_vector"))
    engine.dispose()


def test_similarity_is_the_cosine_whatever_the_lengths(index: VectorIndex) -> None:
    index.replace("case", AXES)
    hits = index.search("case", np.array([5.0, 0.0, 0.0], np.float32), 3)
    assert [hit.name for hit in hits] == ["along-x", "between", "along-y"]
    np.testing.assert_allclose([hit.similarity for hit in hits], [1.0, 0.5**0.5, 0.0], atol=1e-6)
    assert [hit.label for hit in hits] == [0, 2, 1]


def test_only_k_come_back_and_ties_go_by_name(index: VectorIndex) -> None:
    index.replace("case", [Entry(name, 0, np.array([1.0, 0.0], np.float32)) for name in ("c", "a", "b")])
    assert [hit.name for hit in index.search("case", np.array([1.0, 0.0], np.float32), 2)] == ["a", "b"]


def test_kinds_do_not_mix(index: VectorIndex) -> None:
    index.replace("image", AXES[:1])
    index.replace("note", AXES[1:2])
    assert [hit.name for hit in index.search("note", AXES[0].vector, 5)] == ["along-y"]
    assert index.search("vitals", AXES[0].vector, 5) == []


def test_replacing_forgets_what_was_there(index: VectorIndex) -> None:
    index.replace("case", AXES)
    index.replace("case", AXES[:1])
    assert [hit.name for hit in index.search("case", AXES[1].vector, 5)] == ["along-x"]


def test_the_nearest_agree_with_scikit_learn(index: VectorIndex) -> None:
    from sklearn.neighbors import NearestNeighbors

    rng = np.random.default_rng(4)
    vectors = rng.standard_normal((300, 16)).astype(np.float32)
    asked = rng.standard_normal(16).astype(np.float32)
    index.replace("case", [Entry(f"{i:03d}", 0, vector) for i, vector in enumerate(vectors)])
    distances, rows = NearestNeighbors(n_neighbors=7, metric="cosine").fit(vectors).kneighbors(asked[None])
    hits = index.search("case", asked, 7)
    assert [int(hit.name) for hit in hits] == rows[0].tolist()
    np.testing.assert_allclose([hit.similarity for hit in hits], 1 - distances[0], atol=1e-6)


@pytest.mark.postgres
def test_two_bundles_share_a_table_and_not_their_cases(postgres_url: str) -> None:
    engine = create_engine(postgres_url)
    try:
        first, second = PgvectorIndex(engine, "sha256:one"), PgvectorIndex(engine, "sha256:two")
        first.replace("case", AXES)
        assert second.search("case", AXES[0].vector, 3) == []
    finally:
        with engine.begin() as connection:
            connection.execute(sa.text("DROP TABLE joint_vector"))
        engine.dispose()
