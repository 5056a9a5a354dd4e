"""The command line: `damgui app | check | baseline | train | evaluate | ablate | predict | batch | report | …`."""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections.abc import Callable, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import Any, NoReturn

from core import settings as schema
from core.errors import Problem, UserError
from core.units import counted
from damgui.cli.values import assignment, folder_of, port

# Imported where they are needed: `damgui --help` answers before a second library is looked for.
Args = argparse.Namespace
RUN_ACTIONS = ("show", "stop", "resume", "rename", "delete", "restore", "trash", "empty")
OBJECT_HELP = 'the object\'s type, such as "slope drain"; left out: not sure'


class Parser(argparse.ArgumentParser):
    """An argparse parser whose complaints are UserErrors, so that --json holds for them too."""

    def __init__(self, **about: Any) -> None:
        super().__init__(**{"allow_abbrev": False, **about})  # `--js` would be --json, except in an error

    def error(self, message: str) -> NoReturn:
        raise UserError(message, self.prog, f"See {self.prog} --help.", "command")


class HelpSettings(argparse.Action):
    """--help-settings: every setting, then the end."""

    def __call__(self, parser: argparse.ArgumentParser, *_: Any) -> NoReturn:
        print(describe_settings())
        parser.exit()


def describe_settings() -> str:
    """Every setting with default, range and help, three lines at most each."""
    lines = []
    for field in schema.FIELDS.values():
        span = " | ".join(field.choices) if field.choices else "true | false" if field.type is bool else ""
        if field.low is not None and field.high is not None:
            span = f"{field.low:g} to {field.high:g}"
        unit = f" {field.unit}" if field.unit else ""
        lines.append(f"{field.path} = {json.dumps(field.default)}" + (f"   ({span}{unit})" if span else ""))
        lines.append(f"    {field.help}")
    return "\n".join(lines)


def _parser() -> Parser:
    about = "Teach a vision-language model to judge the condition of things in photos, starting with dams."
    parser = Parser(prog="damgui", description=about, epilog="damgui --window is short for damgui app --window.")
    common = Parser(add_help=False)
    common.add_argument("--workspace", default=".", metavar="FOLDER", help="where results and models are kept (here)")
    common.add_argument("--json", action="store_true", help="print one JSON document on stdout and nothing else")
    tuned = Parser(add_help=False)
    tuned.add_argument("--config", metavar="C", help=f"a YAML file, or one of: {', '.join(schema.presets())}")
    tuned.add_argument("--set", action="append", default=[], metavar="lora.rank=8", help="change one setting")
    tuned.add_argument("--help-settings", action=HelpSettings, nargs=0, help="list every setting and exit")
    model = Parser(add_help=False)
    model.add_argument("--model", metavar="M", help="demo, demo-photos, a hub id, a model folder or an adapter folder")
    model.add_argument("--base", metavar="B", help="where the base model of an adapter is now, when it has moved")
    data = Parser(add_help=False)
    formats = ", ".join(name for name in schema.FIELDS["data.format"].choices if name != "auto")
    data.add_argument("--data", metavar="D", help=f"demo, or a folder, label file or archive; read are {formats}")
    data.add_argument("--strict", action="store_true", help="refuse whatever had to be inferred from the labels")
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="COMMAND")

    def verb(name: str, do: Callable[[Args], int], help: str, *parents: Parser) -> argparse.ArgumentParser:
        added = verbs.add_parser(name, help=help, description=help, parents=[*parents, common])
        added.set_defaults(do=do)
        return added

    app = verb("app", _app, "Open the page in the browser.")
    anybody = "0.0.0.0 lets everybody on the network read photos, start and delete runs: there is no password"
    app.add_argument("--host", default="127.0.0.1", help=f"the address to serve at; {anybody}")
    app.add_argument("--port", type=port, default=7860)
    app.add_argument("--root", metavar="FOLDER", help="list folders to choose from below this one (the workspace)")
    opened = app.add_mutually_exclusive_group()
    opened.add_argument(
        "--window", action="store_true", help="open the page in a window of its own; closing it ends damgui"
    )
    opened.add_argument("--no-browser", action="store_true", help="serve the page without opening it")
    check = verb("check", _check, "Tell what is in the data and what is wrong with it.", model, data, tuned)
    convert = verb("convert", _convert, "Write the data, as understood, for another tool.", model, data, tuned)
    convert.add_argument("--to", required=True, metavar="FORMAT", help="yolo, coco, voc, csv or cvat")
    convert.add_argument("--out", required=True, metavar="DIR", help="a new or empty folder")
    for reader in (check, convert):
        reader.add_argument("--yes", action="store_true", help="read folders of very many files without a question")
    baseline = verb("baseline", _heavy, "Test a model as it is.", model, data, tuned)
    baseline.add_argument("--split", choices=("train", "valid", "test"))
    baseline.add_argument("--limit", type=int, metavar="N", help="at most this many photos")
    train = verb("train", _heavy, "Fine-tune a model.", model, data, tuned)
    train.add_argument("--name", metavar="N", help="name of the new model")
    train.add_argument("--resume", action="store_true", help="go on from the last checkpoint of --name (or the latest)")
    train.add_argument("--dry-run", action="store_true", help="try two steps: memory, time and disk it will take")
    evaluate = verb("evaluate", _heavy, "Test a tuned model.", model, data, tuned)
    evaluate.add_argument("--split", choices=("train", "valid", "test"))
    evaluate.add_argument("--limit", type=int, metavar="N", help="at most this many photos")
    ablate = verb("ablate", _heavy, "Measure what each enhancement brings: many small trainings.", model, data, tuned)
    ablate.add_argument("--only", default="", metavar="A,B", help="variants: none, all, an enhancement's name, or a+b")
    crossval = verb("crossval", _heavy, "Train for every part of the photos and judge the part.", model, data, tuned)
    crossval.add_argument("--folds", type=int, default=0, metavar="N", help="parts the flights are dealt into (5)")
    for study, usual in ((ablate, 3), (crossval, 1)):
        study.add_argument("--seeds", type=int, metavar="N", help=f"trainings of each, from other starts ({usual})")
        study.add_argument("--keep", action="store_true", help="keep the trained models, not only their answers")
        study.add_argument("--resume", action="store_true", help="go on with the latest one")
    predict = verb("predict", _predict, "Judge one object in a photo.", model, tuned)
    predict.add_argument("--image", required=True, metavar="F")
    predict.add_argument("--object", metavar="TYPE", help=OBJECT_HELP)
    predict.add_argument("--box", metavar="x1,y1,x2,y2", help="the object's box in pixels")
    predict.add_argument("--whole-photo", action="store_true", help="judge the whole photo as one object")
    bench = verb("bench", _bench, "Measure speed and memory against a plain training script.")
    bench.add_argument("--quick", action="store_true", help="the main ratios, within five minutes")
    bench.add_argument("--only", default="", metavar="A,B", help="parts of training,evaluation,growth,shape")
    bench.add_argument("--shape", default="", metavar="S", help="a real architecture: qwen2-vl-2b, -7b or -72b")
    bench.add_argument("--layers", type=int, default=0, metavar="N", help="with --shape: that many layers (0: all)")
    bench.add_argument("--device", choices=("cuda", "cpu"), default="cuda", help="with --shape: where (cuda)")
    batch = verb("batch", _batch, "Judge every box in a folder whose conditions nobody knows.", model, data, tuned)
    batch.add_argument("--limit", type=int, metavar="N", help="at most this many photos")
    batch.add_argument("--whole-photo", action="store_true", help="without boxes: judge each photo as one object")
    batch.add_argument("--resume", action="store_true", help="go on with the latest batch where it was stopped")
    batch.add_argument("--out", metavar="FOLDER", help="also copy table, report and photos into this new folder")
    report = verb("report", _report, "Write one HTML file about a baseline, evaluation or batch: to file or to print.")
    report.add_argument("run", metavar="RUN", help="a run's id, or a part of it")
    report.add_argument("--out", metavar="FILE", help="where to (experiments/reports/<run id>.html)")
    report.add_argument("--pictures", type=int, default=1500, metavar="N", help="at most this many pictures (1500)")
    cache = verb("cache", _cache, "Tell how large the kept vision features are, or clear them.")
    cache.add_argument("action", nargs="?", choices=("clear",))
    runs = verb("runs", _runs, "List runs; show, stop, resume, rename, delete or restore one; list or empty the trash.")
    runs.add_argument("action", nargs="?", choices=RUN_ACTIONS)
    runs.add_argument("words", nargs="*", metavar="RUN", help="a run's id, its name or a part of it; rename: then NAME")
    runs.add_argument("--yes", action="store_true", help="delete and empty: do not ask")
    return parser


def settings_of(args: Args) -> schema.Settings:
    """The settings a command asks for: the model's preset, then --config, then the named options, then --set.

    Raises UserError with all that is wrong.
    """
    from core.runs.store import absolute_path, settings_for_model

    config = schema.read_yaml(schema.config_path(args.config)) if args.config else {}
    by_hand = dict(assignment(text) for text in args.set)
    model = by_hand.pop("model.path", None) or getattr(args, "model", None)
    if model is None:
        model = schema.merge(schema.Settings(), config, args.config or "").model.path
    # Found before its settings are looked up: an adapter taken for a hub id would be asked what it never learned.
    model = absolute_path(model, Path.cwd(), Path(getattr(args, "workspace", ".")).expanduser().resolve())
    base = schema.merge(settings_for_model(model), config, args.config or "")
    named = {
        "model.path": model,
        "model.base": getattr(args, "base", None),
        "data.path": getattr(args, "data", None),
        "data.strict": getattr(args, "strict", False) or None,  # without the flag a file's setting stands
        "data.split": getattr(args, "split", None),
        "data.limit": getattr(args, "limit", None),
        "batch.whole_photo": getattr(args, "whole_photo", False) or None,
    }
    changes = {key: value for key, value in named.items() if value is not None} | by_hand
    return schema.merge(base, changes, "command line")


def _print_json(document: Any) -> None:
    from core.runs.files import plain

    print(json.dumps(plain(document), indent=1, ensure_ascii=False, allow_nan=False))


def _app(args: Args) -> int:
    from core.runs.store import open_workspace

    workspace = open_workspace(args.workspace)
    from damgui import page
    from damgui.cli.machine import torch_line

    print(torch_line(), flush=True)
    page.serve(workspace.root, args.host, args.port, not args.no_browser, args.window, folder_of(args.root))
    return 0


def _check(args: Args) -> int:
    from core import taxonomy
    from core.data.checks import SAME_FILE, faults_of
    from core.data.statistics import class_counts
    from core.runs.store import open_workspace
    from damgui.cli.data_report import lines_of
    from damgui.cli.reading import read

    workspace = open_workspace(args.workspace)
    settings = settings_of(args)
    with redirect_stdout(sys.stderr):
        dataset = read(settings, workspace, args.yes, with_stats=True)
    counts, faults = class_counts(dataset), faults_of(dataset.problems)
    from core.data.quality.review import review

    found = review(dataset, settings, taxonomy.load(settings.data.taxonomy))
    if args.json:
        _print_json(
            {
                "data": str(dataset.root),
                "format": dataset.format,
                "fingerprint": dataset.fingerprint,
                "photos": {split: len(dataset.split(split)) for split in counts},
                "objects": {split: sum(of_class.values()) for split, of_class in counts.items()},
                "counts": counts,
                "problems": [asdict(problem) for problem in dataset.problems],
                "review": found.as_dict(),
            }
        )
    else:
        for problem in dataset.problems:
            if not problem.what.startswith(SAME_FILE):  # the review lists these
                print(problem, file=sys.stderr)
        if faults:
            print(f"{counted(len(faults), 'problem')} found.")
        print("\n".join(lines_of(dataset, found)))
    # Findings and hints, such as a photo without labels, stop nobody: only faults are the user's to cure.
    return 2 if faults else 0


def _convert(args: Args) -> int:
    from damgui.cli.convert import convert, summary

    with redirect_stdout(sys.stderr):
        document = convert(settings_of(args), args.workspace, args.to, args.out, args.yes)
    if args.json:
        _print_json(document)
    else:
        for problem in document["read"]["problems"]:
            print(Problem(**problem), file=sys.stderr)
        print(summary(document))
    return 0


def _heavy(args: Args) -> int:
    """baseline, train and evaluate: a run of the same kind as the page's, in this process."""
    from damgui.cli import console

    with redirect_stdout(sys.stderr):
        run, code = console.do(args, settings_of)
    if run is None:
        return code
    document = console.outcome(run)
    if args.json:
        _print_json(document)
    elif document["status"] == "finished":
        print("\n".join(console.closing_lines(run)))
    return code


def _predict(args: Args) -> int:
    from damgui.cli.predict import lines_of, predict

    with redirect_stdout(sys.stderr):
        found = predict(args, settings_of)
    if args.json:
        _print_json(found)
    else:
        print("\n".join(lines_of(found)))
    return 0


def _bench(args: Args) -> int:
    from core.bench import report, run
    from core.runs.store import open_workspace

    workspace = open_workspace(args.workspace)
    with redirect_stdout(sys.stderr):
        document, file = run.run_bench(workspace, args.only, (args.shape, args.layers, args.device), args.quick)
    if args.json:
        _print_json(document)
    else:
        print("\n".join([*report.lines_of(document), f"Written to {file}"]))
    return 0


def _runs(args: Args) -> int:
    from core.runs.store import open_workspace
    from damgui.cli import runs

    document, text = runs.do(open_workspace(args.workspace), args.action, args.words, args.yes)
    _print_json(document) if args.json else print(text)
    return 0


def _batch(args: Args) -> int:
    """A run of judging a folder; its files are copied to --out once it is finished."""
    from core.report import outputs
    from damgui.cli import console

    target = outputs.require_new(Path(args.out), args.data or "") if args.out else None
    with redirect_stdout(sys.stderr):
        run, code = console.do(args, settings_of)
    if run is None:
        return code
    document = console.outcome(run)
    done = document["status"] == "finished"
    if done:
        document["files"] = outputs.copy_to(run, target) if target else outputs.files_of(run)
    if args.json:
        _print_json(document)
    elif done:
        print("\n".join(console.closing_lines(run)))
        print(f"Copied to   {target}") if target else None
    return code


def _report(args: Args) -> int:
    from core.report import document
    from core.runs.store import find_run, open_workspace

    if args.pictures < 0:
        raise UserError(f"{args.pictures} pictures cannot be shown", "--pictures", "Give 0 or more.", "command")
    run = find_run(open_workspace(args.workspace), args.run)
    made = document.write(run, Path(args.out) if args.out else None, args.pictures)
    if args.json:
        _print_json(document.outcome(made))
    else:
        print(made.path)
        print(f"{made.objects:,} objects, {made.pictures:,} pictures, {made.bytes / 1e6:.1f} MB", file=sys.stderr)
    return 0


def _cache(args: Args) -> int:
    from core.runs import cache
    from core.runs.store import open_workspace

    workspace = open_workspace(args.workspace)
    files, size = cache.clear(workspace) if args.action else cache.size(workspace)
    if args.json:
        _print_json({"folder": workspace.feature_cache, "cleared": bool(args.action), "files": files, "bytes": size})
    else:
        held = f"{files:,} vision features, {size / 1e6:,.1f} MB, in {workspace.feature_cache}"
        print(f"Cleared: {held}" if args.action else held)
    return 0


def _print_problems(problems: Sequence[Problem], words: Sequence[str]) -> None:
    """What went wrong, a line each on stderr, and as the one document that --json promises."""
    for problem in problems:
        print(f"damgui: {problem}", file=sys.stderr)
    if "--json" in words:
        _print_json({"errors": [asdict(problem) for problem in problems]})


def main(argv: Sequence[str] | None = None) -> int:
    """Run one command. Returns 0, 1 (failed), 2 (something the user can cure) or 130 (Ctrl-C)."""
    words = list(sys.argv[1:] if argv is None else argv)
    if words[:1] == ["--window"]:  # what the icon of a desktop calls
        words.insert(0, "app")
    try:
        if strange := next((word for word in words if "\0" in word), None):
            raise UserError(f"{strange!r} holds a NUL, which no path or name has", "", "Leave it out.", "command")
        args = _parser().parse_args(words)
        return int(args.do(args))
    except UserError as error:
        _print_problems(error.problems, words)
        return 2
    except KeyboardInterrupt:
        print("damgui: interrupted", file=sys.stderr)
        return 130
    except BrokenPipeError:  # `damgui runs | head`: whoever read has enough
        sys.stderr.close()
        return 0
    except Exception as error:
        traceback.print_exc()
        what = f"this failed unexpectedly ({type(error).__name__}: {error})"
        _print_problems([Problem(what, fix="Please report it with the lines above.", kind="failed")], words)
        return 1
