"""damgui with another engine behind it: the same command line and processes, and steps that only wait.

`training.max_steps` says how many steps there are, `training.learning_rate` how many seconds each takes; the name of
a training run picks what goes wrong (`explode`, `overflow`, `refuse`), and photos called so do it for predictions, or
make them `slow`.
"""

from __future__ import annotations

import json
import os
import sys
import time
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[3]))

from core.errors import UserError
from core.runs import launcher, prediction_server, worker
from core.runs.files import read_json
from damgui.cli import commands

ROW = {"image": "a.jpg", "object": 0, "truth": "blocked", "predicted": "blocked"}
STUDY_ROW = {"image": "a.jpg", "object": 0, "truth_class": "drain blocked", "predicted_class": "drain blocked"}

TRIED = {
    "peak_memory_mb": 1400.0,
    "memory_free_mb": 20000.0,
    "step_s": 1.2,
    "usual_step_s": 0.5,
    "total_s": 230.0,
    "checkpoint_mb": 49.0,
    "cache_mb": 30.0,
    "disk_free_mb": 82000.0,
    "gradient_checkpointing": False,
    "flops_per_s": 42e9,
    "peak_share": 0.27,
}


def train(work: worker.Work) -> dict[str, Any]:
    name, total, pause_s = work.run.name, work.settings.training.max_steps, work.settings.training.learning_rate
    if name == "refuse":
        raise UserError("the model folder is empty", "models/x", "Give another one.", "model")
    if name == "overflow":
        raise RuntimeError("I/O error: No space left on device (os error 28)")  # as safetensors says it
    if name == "explode":
        raise RuntimeError("tensors quarrelled")
    _barrier(work.run.folder)
    state = work.run.workspace.checkpoints(name) / "state.json"
    state.parent.mkdir(parents=True, exist_ok=True)
    step = json.loads(state.read_text())["step"] if work.resume and state.exists() else 0
    work.reporter.emit("plan", total_steps=total, epochs=2.0, photos=3, objects=5)
    stopped = False
    while step < total and not stopped:
        time.sleep(pause_s)
        step += 1
        work.reporter.emit("step", step=step, total_steps=total, epoch=2 * step / total, loss=1 / step)
        stopped = step < total and work.reporter.stop_requested()
        if stopped or step % 5 == 0:
            state.write_text(json.dumps({"step": step}))
            work.reporter.emit("checkpoint", step=step, path=str(state), best=False)
    if not stopped and worker.rank() == 0:
        work.run.workspace.final(name).mkdir(parents=True)
    with (work.run.folder / f"rank{worker.rank()}").open("a") as file:
        file.write(f"{work.resume}\n")
    return {"name": name, "steps": step, "stopped": stopped, "offline": os.environ.get("HF_HUB_OFFLINE", "")}


def _barrier(folder: Path) -> None:
    """As in any training on several GPUs: nobody begins before all are there."""
    (folder / f"here{worker.rank()}").touch()
    while len(list(folder.glob("here*"))) < int(os.environ.get("WORLD_SIZE", "1")):
        time.sleep(0.01)


def evaluate(work: worker.Work) -> dict[str, Any]:
    total = work.settings.training.max_steps or 3
    print("a library talks on stdout")
    done = 0
    while done < total and not work.reporter.stop_requested():
        time.sleep(work.settings.training.learning_rate)
        done += 1
        work.reporter.emit("progress", done=done, total=total, unit="photos", correct=done, judged=done, elapsed_s=0.1)
    results = {"overall_accuracy": 0.712, "correct": 148, "total": 208, "macro_f1": 0.6, "run": work.run.id}
    (work.run.folder / "results.json").write_text(json.dumps(results))
    (work.run.folder / "predictions.jsonl").write_text(json.dumps(ROW) + "\n")
    return results


def dry_run(work: worker.Work) -> dict[str, Any]:
    """Two steps of as many seconds as a step takes; 0 steps in all are too many for this machine."""
    if not work.settings.training.max_steps:
        fix = "Lower training.tokens_per_pass, view.photo_px or lora.rank."
        raise UserError("this training needs more memory than there is (8.0 GB)", "cpu", fix, "does-not-fit")
    work.reporter.emit("stage", text="Trying two steps")
    for _ in range(2):
        time.sleep(work.settings.training.learning_rate)
        if work.reporter.stop_requested():
            return {"stopped": True}
    measured = {**TRIED, "steps": work.settings.training.max_steps}
    work.reporter.emit("rehearsal", **measured)
    (work.run.folder / "results.json").write_text(json.dumps(measured))
    return {**measured, "stopped": False}


def study(work: worker.Work) -> dict[str, Any]:
    """As many trainings as the plan has, each as long as a step; what is done stays done."""
    from core.studies import plan as studies
    from core.studies.ablation import ablation

    plan = studies.from_dict(read_json(work.run.plan), work.run.plan)
    cells = studies.study_cells(plan, work.settings.training.seed, has_test=True)
    done_file = work.run.folder / "done"
    done = int(done_file.read_text()) if done_file.exists() else 0
    while done < len(cells) and not work.reporter.stop_requested():
        work.reporter.emit("stage", text=f"{done + 1} of {len(cells)}: {cells[done].label}")
        time.sleep(work.settings.training.learning_rate)
        done += 1
        done_file.write_text(str(done))
        work.reporter.emit("progress", done=done, total=len(cells), unit="trainings", elapsed_s=0.1, part=0.0, left_s=1)
    rows = {
        variant_cell.variant: {cell.seed: [STUDY_ROW] for cell in cells if cell.variant == variant_cell.variant}
        for variant_cell in cells
    }
    stopped = done < len(cells)
    results = {"cells_done": done, "complete": not stopped, "stopped": stopped, **ablation(rows)}
    (work.run.folder / "results.json").write_text(json.dumps(results))
    return results


def load_predictor(settings: Any) -> prediction_server.Predict:
    def predict(request: dict[str, Any]) -> dict[str, Any]:
        if "refuse" in request["image"]:
            raise UserError("this photo cannot be read", request["image"], "Give another one.", "photo")
        if "explode" in request["image"]:
            raise RuntimeError("tensors quarrelled")
        if "slow" in request["image"]:
            time.sleep(2)
        return {"image": request["image"], "asked_of": settings.model.path, "pid": os.getpid()}

    return predict


def serve(work: worker.Work) -> dict[str, Any]:
    idle_s = 600.0 if work.settings.data.limit == 0 else 0.2
    return prediction_server.serve(work.run, work.settings, work.reporter, load_predictor, idle_s)


JOBS = {
    "train": train,
    "rehearse": dry_run,
    "baseline": evaluate,
    "evaluate": evaluate,
    "predict": serve,
    "ablate": study,
}
worker.JOBS.update(JOBS)
launcher.ENTRY[:] = [sys.executable, __file__]

if __name__ == "__main__":
    at_work = len(sys.argv) == 2 and (Path(sys.argv[1]) / "run.json").is_file()
    sys.exit(worker.main() if at_work else commands.main())
