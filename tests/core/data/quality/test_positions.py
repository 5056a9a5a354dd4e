"""Heights, order and company of objects, by hand."""

from __future__ import annotations

from pathlib import Path

from core.data.quality.positions import where_things_lie
from core.data.types import BoxedObject, Photo


def photo(*objects: tuple[str, float]) -> Photo:
    boxed = (BoxedObject((0, y - 0.05, 1, y + 0.05), *name.rsplit(" ", 1)) for name, y in objects)
    return Photo(Path("a"), "a", (10, 10), "train", "a", tuple(boxed))


def test_heights_order_and_company_by_hand() -> None:
    found = where_things_lie(
        [
            photo(("slope drain normal", 0.25), ("toe drain blocked", 0.95), ("toe drain blocked", 0.85)),
            photo(("toe drain blocked", 0.15), ("slope drain normal", 0.55)),
            photo(("slope drain normal", 0.35)),
        ]
    )
    assert found["heights"]["toe drain blocked"] == {"bins": [0, 1, 0, 0, 0, 0, 0, 0, 1, 1], "mean": 0.65, "objects": 3}
    assert found["above"] == [{"upper": "slope drain", "lower": "toe drain", "share": round(2 / 3, 4), "pairs": 3}]
    assert found["together"] == [{"classes": ["slope drain normal", "toe drain blocked"], "photos": 2}]


def test_at_one_height_neither_is_above_and_of_one_kind_there_is_no_order() -> None:
    found = where_things_lie([photo(("a x", 0.5), ("b x", 0.5)), photo(("a x", 0.2), ("a y", 0.8))])
    assert found["above"] == []
    assert where_things_lie([]) == {"heights": {}, "above": [], "together": []}


def test_a_box_at_the_lower_edge_is_in_the_last_tenth() -> None:
    obj = BoxedObject((0, 1.0, 1, 1.0), "a", "x")
    found = where_things_lie([Photo(Path("a"), "a", (10, 10), "train", "a", (obj,))])
    assert found["heights"]["a x"]["bins"] == [0] * 9 + [1]
