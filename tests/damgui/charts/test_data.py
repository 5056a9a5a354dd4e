"""What is in the photos -> figures."""

from __future__ import annotations

from core.taxonomy import from_dict, load
from damgui.charts import data

DAMS = load()


def test_class_counts_have_a_panel_for_every_split_with_objects() -> None:
    taxonomy = from_dict({"conditions": ["normal", "blocked"], "object_types": ["a"]})
    counts = {"train": {"a normal": 3}, "valid": {"a normal": 1, "a blocked": 2}, "test": {}}
    figure = data.counts_by_split(counts, taxonomy).to_plotly_json()
    assert [list(bar["x"])[::-1] for bar in figure["data"]] == [[3, 0], [1, 2]]
    assert figure["layout"]["xaxis"]["dtick"] == 1, "objects are counted in whole ones"


def test_heights_are_drawn_as_in_the_photo_a_panel_for_each_class() -> None:
    taxonomy = from_dict({"conditions": ["normal", "damaged"], "object_types": ["b", "a"]})
    found = {
        "a normal": {"bins": [0] * 9 + [4], "mean": 0.95, "objects": 4},
        "b damaged": {"bins": [1, 1] + [0] * 8, "mean": 0.1, "objects": 2},
    }
    figure = data.heights(found, taxonomy).to_plotly_json()
    assert [bar["name"] for bar in figure["data"]] == ["b damaged", "a normal"]
    assert list(figure["data"][0]["x"])[:3] == [50, 50, 0] and list(figure["data"][1]["x"])[-1] == 100
    assert next(iter(figure["data"][0]["y"])) == 5 and figure["layout"]["yaxis"]["range"] == [100, 0]
    assert len({name for name in figure["layout"] if name.startswith("xaxis")}) == 2


def test_many_classes_get_further_rows_and_none_gives_an_empty_chart() -> None:
    many = {f"kind{i} normal": {"bins": [1] * 10, "mean": 0.5, "objects": 10} for i in range(13)}
    tall = data.heights(many, DAMS).layout.height
    assert tall > data.heights(dict(list(many.items())[:3]), DAMS).layout.height
    assert data.heights({}, DAMS).layout.height > 0
