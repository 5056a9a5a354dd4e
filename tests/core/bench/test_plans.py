"""What is asked for, on which photos, and what is said when it cannot be."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import replace
from pathlib import Path

import pytest

from core.bench import plans, run
from core.bench.plans import Maker
from core.bench.shapes import SHAPES
from core.bench.synthetic_images import make_images, read_images, with_questions
from core.data.types import Photo
from core.errors import UserError
from core.runs.workspace import Workspace
from core.taxonomy import Taxonomy
from damgui.cli import commands


def test_the_shapes_offered_are_the_shapes_there_are() -> None:
    assert tuple(SHAPES) == plans.SHAPE_NAMES


@pytest.mark.parametrize(
    ("only", "shape", "wanted"),
    [
        ("", "", ["training", "evaluation", "growth"]),
        ("growth, training", "", ["growth", "training"]),
        ("", "qwen2-vl-7b", ["shape"]),
        ("training,shape", "qwen2-vl-2b", ["training", "shape"]),
    ],
)
def test_sections_follow_from_the_command(only: str, shape: str, wanted: list[str]) -> None:
    assert plans.chosen_sections(only, shape) == wanted


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--shape", "qwen9"], "there is no shape qwen9. Choose one of qwen2-vl-2b"),
        (["--only", "speed"], "'speed' is no part of the bench. Choose of training"),
        (["--only", "shape"], "which shape?"),
        (["--shape", "qwen2-vl-2b", "--device", "cpu"], "Add --layers 1"),
    ],
)
def test_what_cannot_be_measured_is_said_in_a_sentence(
    words: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert commands.main(["bench", *words, "--workspace", str(tmp_path)]) == 2
    assert message in capsys.readouterr().err


def test_every_photo_of_a_list_is_another_file_with_its_own_digest(photos: list[Photo], tmp_path: Path) -> None:
    found = read_images(make_images(photos, tmp_path / "many", count=12))
    assert len({image.path for image in found}) == len({image.digest for image in found if image.digest}) + 5 == 12
    assert [image.objects for image in found[5:10]] == [photo.objects for photo in photos]


def test_copies_have_the_size_asked_for(photos: list[Photo], tmp_path: Path) -> None:
    found = read_images(make_images(photos[:2], tmp_path / "large", side_px=280))
    assert [image.size_wh for image in found] == [(280, 280)] * 2
    assert all(image.path.parent == tmp_path / "large" for image in found)


def test_more_questions_than_objects_are_other_boxes_inside_the_photo(photos: list[Photo]) -> None:
    objects = with_questions(photos[0], 20)
    assert len(objects) == len({obj.box_xyxy for obj in objects}) == 20
    assert all(
        0 <= low <= high <= 1 for obj in objects for low, high in zip(obj.box_xyxy, obj.box_xyxy[2:], strict=False)
    )
    assert with_questions(photos[0], 0) == photos[0].objects


def test_objects_about_which_nothing_is_asked_are_left_out(photos: list[Photo], taxonomy: Taxonomy) -> None:
    lonely = next(name for name, allowed in taxonomy.allowed.items() if len(allowed) == 1)
    photo = replace(photos[0], objects=(*photos[0].objects, replace(photos[0].objects[0], object_type=lonely)))
    (kept,) = plans.with_choice([photo], taxonomy)
    assert kept.objects and lonely not in {obj.object_type for obj in kept.objects}


@pytest.mark.parametrize("quick", [True, False])
def test_all_groups_can_be_planned_and_their_jobs_travel_as_json(
    quick: bool, photos: list[Photo], tmp_path: Path
) -> None:
    make = Maker(photos, tmp_path, quick)
    groups = [*plans.training(make), *plans.evaluation(make)]
    for group in groups:
        assert group.base in (*group.jobs, "plain")
        assert all(Path(job.images).is_file() and Path(job.workspace).is_dir() for job in group.jobs.values())
        json.dumps([job.__dict__ for job in group.jobs.values()])
    folders = Counter(job.workspace for group in groups for job in group.jobs.values())
    assert max(folders.values()) == 1


def test_in_a_quick_bench_the_groups_that_say_most_come_first(photos: list[Photo], tmp_path: Path) -> None:
    sections = ["training", "evaluation"]
    found = list(run.groups_of(sections, Maker(photos, tmp_path, True), ("", 0, "cpu")))
    assert [group.section for group in found[:3]] == ["training", "training", "evaluation"]


def test_a_group_that_does_not_fit_into_the_five_minutes_is_not_begun(photos: list[Photo], tmp_path: Path) -> None:
    make = Maker(photos, tmp_path, True)
    group = next(iter(plans.training(make)))
    clock = run.time.monotonic()
    assert run.Bench(make, tmp_path, clock).has_time(group)
    assert not run.Bench(make, tmp_path, clock - run.QUICK_S).has_time(group)
    # So far it took four times what was planned: the next group will too.
    assert not run.Bench(make, tmp_path, clock - 200, planned_s=50).has_time(group)
    assert run.Bench(replace(make, quick=False), tmp_path, clock - 9999).has_time(group)


def test_an_older_document_is_kept(tmp_path: Path) -> None:
    names = []
    for _ in range(3):
        file = run.free_name(tmp_path)
        file.write_text("{}")
        names.append(file.name)
    assert names == ["bench.json", "bench-2.json", "bench-3.json"]


def test_a_disk_too_small_is_told_before_anything_is_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run.shutil, "disk_usage", lambda _: type("Usage", (), {"free": 1e6}))
    with pytest.raises(UserError, match="2 GB of disk"):
        run.run_bench(Workspace(tmp_path), "", ("", 0, "cuda"), True)
