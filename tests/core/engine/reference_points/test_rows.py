"""Objects one by one: samples keep their shares, and guessing answers with the most frequent condition."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from core.data.types import BoxedObject, Photo
from core.engine.reference_points.rows import items_of, prior_rows, stratified
from core.metrics.counts import with_choice
from core.taxonomy import Taxonomy, load

BOX = (0.25, 0.5, 0.5, 1.0)


@pytest.fixture(scope="module")
def taxonomy() -> Taxonomy:
    return load()


def photo(name: str, *objects: tuple[str, str]) -> Photo:
    return Photo(Path(name), name, (200, 100), "train", name, tuple(BoxedObject(BOX, *obj) for obj in objects))


def test_a_sample_keeps_every_class_at_about_its_share_and_loses_none() -> None:
    photos = [photo(str(n), ("toe drain", "normal" if n % 10 else "blocked")) for n in range(1000)]
    items = items_of([*photos, photo("rare", ("toe drain", "damaged"))])
    found = stratified(items, 100, seed=3)
    counts = Counter(item.obj.condition for item in found)
    assert len(found) == 100 and counts["damaged"] == 1
    assert counts["blocked"] == pytest.approx(10, abs=1) and counts["normal"] == pytest.approx(90, abs=2)
    assert found == sorted(found, key=items.index)
    assert found == stratified(items, 100, seed=3) != stratified(items, 100, seed=4)
    assert stratified(items, 5000, seed=3) == items


def test_guessing_answers_with_the_shares_of_training(taxonomy: Taxonomy) -> None:
    train = [photo("a", ("toe drain", "blocked"), ("toe drain", "blocked"), ("toe drain", "normal"))]
    (row,) = prior_rows(train, [photo("b", ("toe drain", "normal"))], taxonomy)
    assert (row["truth"], row["predicted"], row["object"], row["image"]) == ("normal", "blocked", 0, "b")
    assert row["box_xyxy_px"] == [50.0, 50.0, 100.0, 100.0]
    assert row["probabilities"]["blocked"] == pytest.approx(2 / 3, abs=1e-6)
    assert tuple(row["probabilities"]) == taxonomy.allowed["toe drain"]


def test_what_training_lacks_is_answered_with_the_first_allowed_condition(taxonomy: Taxonomy) -> None:
    train, evaluated = [photo("a", ("toe drain", "blocked"))], [photo("b", ("rock toe", "damaged"))]
    (row,) = prior_rows(train, evaluated, taxonomy)
    assert row["predicted"] == taxonomy.allowed["rock toe"][0] and row["probabilities"] == {}
    assert prior_rows([], evaluated, taxonomy) == []


def test_objects_with_one_allowed_answer_are_no_choice(taxonomy: Taxonomy) -> None:
    kinds = list(taxonomy.allowed)
    rows = prior_rows(
        [photo("a", *((kind, taxonomy.allowed[kind][0]) for kind in kinds))],
        [photo("b", *((kind, taxonomy.allowed[kind][0]) for kind in kinds))],
        taxonomy,
    )
    assert [row["object_type"] for row in with_choice(rows)] == [k for k in kinds if len(taxonomy.allowed[k]) > 1]
