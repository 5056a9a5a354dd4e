from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from core import settings as schema
from core.runs import store
from core.runs.files import write_json
from damgui.cli import commands

ROOT = Path(__file__).resolve().parents[3]
# The same command line with an engine behind it whose steps only wait.
FAKE = ROOT / "tests" / "core" / "runs" / "fake_damgui.py"
QUICK = ("--set", "training.learning_rate=0.001", "--set", "training.max_steps=6")


def damgui(folder: Path, *words: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, str(FAKE), *words],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=30,
        env={**os.environ, **environment},
    )


def train(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    return damgui(folder, "train", "--name", "pilot", *QUICK, *words)


def test_help_comes_without_any_heavy_library() -> None:
    code = "import sys; from damgui.cli import commands; commands.main(['--help'])"
    heavy = "print(sorted(m for m in ('torch', 'transformers', 'gradio', 'numpy', 'PIL') if m in sys.modules))"
    found = subprocess.run(
        [sys.executable, "-c", f"import sys\ntry:\n    {code}\nexcept SystemExit:\n    {heavy}"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert found.stdout.endswith("[]\n")
    began = time.monotonic()
    subprocess.run([sys.executable, "-m", "damgui", "--help"], cwd=ROOT, capture_output=True, check=True)
    assert time.monotonic() - began < 1  # 0.1 s alone; the rest is for a machine that is busy


def test_help_names_every_command_and_not_the_hidden_one(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.main(["--help"])
    printed = capsys.readouterr().out
    for verb in ("app", "check", "baseline", "train", "evaluate", "predict", "bench", "cache", "runs"):
        assert verb in printed
    assert "work" not in printed


def test_help_settings_lists_every_knob_with_default_range_and_help(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        commands.main(["train", "--help-settings"])
    printed = capsys.readouterr().out
    for path, field in schema.FIELDS.items():
        assert f"{path} = {json.dumps(field.default)}" in printed
        assert field.help in printed
    assert "lora.rank = 16   (1 to 256)" in printed


WRONG: list[tuple[list[str], str]] = [
    ([], "COMMAND"),
    (["fly"], "fly"),
    (["train", "--rank", "8"], "--rank"),
    (["train", "--set", "lora.rank"], "--set lora.rank=8"),
    (["train", "--set", "lora.rnk=8"], "lora.rank"),
    (["train", "--set", "lora.rank=0"], "1 to 256"),
    (["train", "--config", "gone.yaml"], "gone.yaml"),
    (["train", "--name", "a/b"], "cannot be a name"),
    (["train", "--resume"], "no training run"),
    (["train", "--resume", "--dry-run"], "Leave out --resume"),
    (["ablate", "--only", "oversamplin"], "no variant"),
    (["ablate", "--seeds", "0"], "1 to 20"),
    (["ablate", "--resume"], "no ablate run"),
    (["crossval", "--folds", "1"], "2 to 50"),
    (["baseline", "--limit", "many"], "--limit"),
    (["baseline", "--split", "all"], "--split"),
    (["evaluate", "--workspace", "gone"], "no such workspace"),
    (["predict"], "--image"),
    (["predict", "--image", "gone.jpg", "--whole-photo"], "no such photo"),
    (["predict", "--image", "x.jpg"], "--whole-photo"),
    (["predict", "--image", "x.jpg", "--whole-photo", "--box", "1,2,3,4"], "Leave one of them out"),
    (["predict", "--image", "x.jpg", "--box", "1,2,3,nan"], "x1,y1,x2,y2"),
    (["predict", "--image", "x.jpg", "--box", ""], "x1,y1,x2,y2"),
    (["predict", "--image", "x.jpg", "--box", "1,2,3"], "x1,y1,x2,y2"),
    (["predict", "--image", "x.jpg", "--box", "9,2,3,4"], "x1,y1,x2,y2"),
    (["predict", "--image", "x\0.jpg", "--whole-photo"], "NUL"),
    (["batch", "--out", "a\0b"], "NUL"),
    (["runs", "show"], "show what"),
    (["runs", "stop", "nothing"], "no such run"),
]


@pytest.mark.parametrize(("words", "text"), WRONG, ids=lambda value: " ".join(value) if isinstance(value, list) else "")
def test_what_the_user_got_wrong_is_said_on_stderr_with_code_2(
    words: list[str], text: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert commands.main(words) == 2
    out, err = capsys.readouterr()
    assert text in err
    assert err.startswith("damgui: ")
    assert "Traceback" not in err
    assert out == ""


@pytest.mark.parametrize(
    "words", [["fly"], ["train", "--set", "lora.rank=0", "--set", "lora.alpha=x"], ["runs", "show"]]
)
def test_with_json_an_error_is_one_document(
    words: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    assert commands.main([*words, "--json"]) == 2
    errors = json.loads(capsys.readouterr().out)["errors"]
    assert all(set(error) == {"what", "where", "fix", "kind"} for error in errors)
    assert len(errors) == (2 if words[0] == "train" else 1)


def _args(**given: Any) -> commands.Args:
    return commands.Args(**{"config": None, "set": [], "model": None, **given})


def test_nearer_settings_win_over_farther_ones(tmp_path: Path) -> None:
    config = tmp_path / "c.yaml"
    config.write_text("lora: {rank: 4, alpha: 4}\ndata: {path: from-config}\nmodel: {path: other-7b}\n")
    found = commands.settings_of(_args(config=str(config), data="from-option", set=["lora.rank=2"]))
    assert (found.lora.rank, found.lora.alpha) == (2, 4)
    assert found.data.path == "from-option"
    assert found.model.path == "other-7b"
    assert commands.settings_of(_args(config=str(config), model="demo")).model.path == "demo"


@pytest.mark.parametrize(
    ("model", "preset"),
    [
        ("demo", "demo"),
        ("Qwen/Qwen2-VL-2B-Instruct", "qwen2vl-2b-lora"),
        ("Qwen/Qwen2-VL-7B-Instruct", "qwen2vl-7b-lora"),
        ("/models/qwen2vl-7b", "qwen2vl-7b-lora"),
        ("Qwen/Qwen2.5-VL-3B-Instruct", "qwen2vl-2b-lora"),
        ("Qwen/Qwen2.5-VL-32B-Instruct", "qwen2vl-7b-lora"),
        ("Qwen/Qwen2-VL-72B-Instruct-AWQ", "qwen2vl-7b-lora"),
        ("Qwen/Qwen3-VL-4B-Instruct", "qwen2vl-2b-lora"),
        ("Qwen/Qwen3-VL-8B-Instruct", "qwen2vl-7b-lora"),
        ("Qwen/Qwen3-VL-30B-A3B-Instruct", "qwen2vl-7b-lora"),
        ("/data/7b-team/qwen2vl-2b", "qwen2vl-2b-lora"),
        ("somebody/model-v17beta", "qwen2vl-2b-lora"),
        ("anything", "qwen2vl-2b-lora"),
    ],
)
def test_every_model_has_its_preset(model: str, preset: str) -> None:
    expected = preset if preset in schema.presets() else ""
    assert schema.preset_for(model) == expected
    wanted = schema.load(expected) if expected else schema.Settings()
    assert commands.settings_of(_args(model=model)) == schema.merge(wanted, {"model.path": model})


def test_adapter_is_evaluated_with_the_questions_of_its_training(tmp_path: Path) -> None:
    trained = schema.merge(schema.Settings(), {"view.mode": "crop", "view.crop_px": 112})
    (tmp_path / "adapter_config.json").write_text("{}")
    write_json(tmp_path / "damgui.json", {"settings": schema.to_dict(trained)})
    found = commands.settings_of(_args(model=str(tmp_path), split="test"))
    assert found.view == trained.view
    assert found.data.split == "test"
    assert commands.settings_of(_args(model=str(tmp_path), set=["view.mode=full"])).view.mode == "full"


def test_baseline_shows_progress_on_stderr_and_the_number_on_stdout(tmp_path: Path) -> None:
    done = damgui(tmp_path, "baseline", *QUICK)
    assert done.returncode == 0, done.stderr
    assert "Testing on 6 images" in done.stderr
    assert "a library talks on stdout" in done.stderr
    assert done.stdout.startswith("Overall accuracy  71.2 % (148/208)")
    assert "zeroshot_results.json" in done.stdout


def test_a_dry_run_tells_what_training_would_take_and_trains_nothing(tmp_path: Path) -> None:
    done = damgui(tmp_path, "train", "--dry-run", *QUICK)
    assert done.returncode == 0, done.stderr
    for line in (
        "Memory    1.4 GB of 20.0 GB",
        "A step    0.50 s, the largest 1.2 s",
        "In all    about 4 min for 6 steps and their tests",
        "Disk      49 MB for checkpoints and 30 MB for vision features; 82.0 GB free",
        "Speed     42 GFLOP/s, 27 % of what this device can do at most",
    ):
        assert line in done.stdout.splitlines()
    document = json.loads(damgui(tmp_path, "train", "--dry-run", *QUICK, "--json").stdout)
    assert document["status"] == "finished"
    assert (document["peak_memory_mb"], document["total_s"]) == (1400, 230)
    runs = store.list_runs(store.open_workspace(tmp_path))
    assert [(run.kind, run.name) for run in runs] == [("rehearse", "")] * 2
    assert {path.name for path in tmp_path.iterdir()} == {"experiments"}
    assert not list(tmp_path.glob("experiments/training*"))


def test_a_dry_run_that_will_not_fit_says_its_cure(tmp_path: Path) -> None:
    done = damgui(tmp_path, "train", "--dry-run", "--json")
    assert done.returncode == 2
    (error,) = json.loads(done.stdout)["errors"]
    assert error["kind"] == "does-not-fit"
    assert "Lower training.tokens_per_pass" in done.stderr


@pytest.mark.parametrize("environment", [{"RANK": "1", "WORLD_SIZE": "2"}, {"RANK": "0", "WORLD_SIZE": "2"}])
def test_several_processes_do_not_try_and_none_waits_for_another(tmp_path: Path, environment: dict[str, str]) -> None:
    done = damgui(tmp_path, "train", "--dry-run", **environment)
    assert done.returncode == 2
    assert "Start one alone" in done.stderr


@pytest.mark.parametrize("verb", ["baseline", "evaluate", "train"])
def test_json_prints_one_document_and_nothing_else_on_stdout(tmp_path: Path, verb: str) -> None:
    done = damgui(tmp_path, verb, *QUICK, "--json")
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document["status"] == "finished"
    assert document["folder"] == str(tmp_path / "experiments" / "runs" / document["run"])
    assert document["steps" if verb == "train" else "overall_accuracy"]


def test_training_shows_epochs_and_refuses_to_write_over_its_model(tmp_path: Path) -> None:
    done = train(tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Epoch 1/2" in done.stderr
    assert "Epoch 2/2" in done.stderr
    assert "loss" in done.stderr
    assert str(tmp_path / "models" / "pilot_final") in done.stdout
    again = train(tmp_path)
    assert again.returncode == 2
    assert "already there" in again.stderr
    assert "another name" in again.stderr
    resumed = train(tmp_path, "--resume")
    assert resumed.returncode == 2
    assert "this run is finished" in resumed.stderr


def test_training_without_a_name_finds_one_that_is_free(tmp_path: Path) -> None:
    names = [json.loads(damgui(tmp_path, "train", *QUICK, "--json").stdout)["name"] for _ in range(2)]
    assert names == ["demo-tuned", "demo-tuned-2"]


def test_failure_has_code_1_and_names_the_file_that_says_why(tmp_path: Path) -> None:
    done = damgui(tmp_path, "train", "--name", "explode", "--json")
    assert done.returncode == 1
    assert "Traceback" not in done.stderr
    assert "process.log" in done.stderr
    assert json.loads(done.stdout)["errors"][0]["kind"] == "failed"


def test_error_of_the_engine_that_the_user_can_cure_has_code_2(tmp_path: Path) -> None:
    done = damgui(tmp_path, "train", "--name", "refuse")
    assert done.returncode == 2
    assert "damgui: models/x: the model folder is empty. Give another one." in done.stderr.splitlines()
    assert done.stdout == ""


@pytest.mark.skipif(sys.platform == "win32", reason="Windows cannot send this signal to a process")
def test_interrupt_saves_says_how_to_resume_and_the_same_command_goes_on(tmp_path: Path) -> None:
    slow = ["--set", "training.learning_rate=0.02", "--set", "training.max_steps=200", "--name", "pilot"]
    child = subprocess.Popen(
        [sys.executable, str(FAKE), "train", *slow],
        cwd=tmp_path,
        stderr=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    while not list(tmp_path.glob("models/pilot_checkpoints/state.json")):
        time.sleep(0.02)
    second = damgui(tmp_path, "baseline")
    child.send_signal(signal.SIGINT)
    out, err = child.communicate(timeout=20)
    assert child.returncode == 130
    assert "damgui train --resume --name pilot" in err
    assert out == ""
    assert second.returncode == 2
    assert "the engine is busy with train" in second.stderr
    changed = damgui(tmp_path, "train", *slow, "--resume", "--set", "lora.rank=3")
    assert changed.returncode == 2
    assert "lora.rank was" in changed.stderr
    assert "and is now 3" in changed.stderr
    resumed = damgui(tmp_path, "train", *slow, "--resume", "--json")
    assert resumed.returncode == 0, resumed.stderr
    assert json.loads(resumed.stdout)["steps"] == 200
    (run,) = store.list_runs(store.open_workspace(tmp_path))
    assert store.status(run) == "finished"


def test_runs_are_listed_shown_stopped_and_resumed(tmp_path: Path) -> None:
    assert "No runs yet" in damgui(tmp_path, "runs").stdout
    slow = ["--set", "training.learning_rate=0.02", "--set", "training.max_steps=1500", "--name", "pilot"]
    child = subprocess.Popen(
        [sys.executable, str(FAKE), "train", *slow], cwd=tmp_path, stderr=subprocess.DEVNULL, stdout=subprocess.DEVNULL
    )
    while not list(tmp_path.glob("models/pilot_checkpoints/state.json")):
        time.sleep(0.02)
    (row,) = json.loads(damgui(tmp_path, "runs", "--json").stdout)
    assert row["status"] == "running"
    shown = damgui(tmp_path, "runs", "show", "pilot").stdout
    assert "running" in shown
    assert "of 1500, loss" in shown
    assert damgui(tmp_path, "runs", "stop", row["id"]).returncode == 0
    assert child.wait(timeout=20) == 0
    assert "runs resume" in damgui(tmp_path, "runs", "show", "pilot").stdout
    assert damgui(tmp_path, "runs", "resume", "pilot").returncode == 0
    (row,) = json.loads(damgui(tmp_path, "runs", "--json").stdout)
    assert row["status"] == "running"
    assert damgui(tmp_path, "runs", "stop", "pilot").returncode == 0
    deadline = time.monotonic() + 10
    while "stopped" not in damgui(tmp_path, "runs", "show", "pilot").stdout:
        assert time.monotonic() < deadline


def test_of_several_processes_of_one_launch_only_the_first_makes_a_run(tmp_path: Path) -> None:
    words = [sys.executable, str(FAKE), "train", "--name", "pilot", *QUICK]
    children = [
        subprocess.Popen(
            words,
            cwd=tmp_path,
            env={**os.environ, "RANK": rank, "WORLD_SIZE": "2"},
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("1", "0")
    ]
    outputs = [child.communicate(timeout=30) for child in children]
    assert [child.returncode for child in children] == [0, 0], outputs
    assert outputs[0] == ("", "")
    (run,) = store.list_runs(store.open_workspace(tmp_path))
    assert sorted(path.name for path in run.folder.glob("rank*")) == ["rank0", "rank1"]
    assert not list(run.workspace.runs.glob(".launch-*"))


def test_the_cache_is_told_and_cleared(tmp_path: Path) -> None:
    kept = tmp_path / "cache" / "features" / "model-float32" / "ab" / "abc.safetensors"
    kept.parent.mkdir(parents=True)
    kept.write_bytes(b"x" * 1000)
    listed = damgui(tmp_path, "cache", "--json")
    assert json.loads(listed.stdout) == {
        "folder": str(tmp_path / "cache" / "features"),
        "cleared": False,
        "files": 1,
        "bytes": 1000,
    }
    assert kept.exists()
    assert damgui(tmp_path, "cache", "clear").stdout.startswith("Cleared: 1 vision features, 0.0 MB")
    assert not kept.exists()
    assert damgui(tmp_path, "cache").stdout.startswith("0 vision features")
