"""The sentences of a report that depend on its numbers: the headline, the warnings, what it cannot say."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence

from core.metrics import verdict
from core.metrics.flights import FEW_FLIGHTS, NO_INTERVAL
from core.report.words import SPLITS
from core.results import Results, UnsureSummary
from core.settings import SHIPPED_MODELS
from core.taxonomy import Taxonomy
from core.units import counted, interval, percent, share

# A class so thin, or an interval so wide, that the report warns.
FEW_OF_A_CLASS, WIDE_INTERVAL = 10, 0.10


def between(ends: Sequence[float] | None) -> str:
    """`66.0–76.9 %`, close as in running text; "" where there is no interval."""
    return interval(ends, "–")


def headline(results: Results) -> str:
    """What came out of an evaluation, with its interval and what guessing would score, as one paragraph.

    Args:
        results: of a baseline or an evaluation.
    """
    correct, total = int(results["correct"]), int(results["total"])
    text = f"The model judged {correct:,} of {counted(total, 'object')} right: {percent(results['overall_accuracy'])}"
    text += f"{_interval_note(results)}.{_macro_f1_sentence(results)}"
    proved = verdict.of_score(results)
    return " ".join([text, f"{proved.title}.", *proved.reasons])  # its warning is in the list of warnings


def _macro_f1_sentence(results: Results) -> str:
    """Macro-F1 beside the accuracy: an accuracy alone flatters a model that answers the frequent conditions."""
    macro = results.get("macro_f1")
    if macro is None:
        return ""
    ends = between(results.get("macro_f1_interval"))
    return f" With every class counting the same (macro-F1) it reaches {percent(macro)}" + (
        f" ({ends})." if ends else "."
    )


def _interval_note(results: Results) -> str:
    """` (95 % interval 66.0–76.9 %)` of the accuracy, or why there is none; "" for results that hold neither."""
    ends = between(results.get("accuracy_interval"))
    if not ends:
        return f" ({NO_INTERVAL})" if "accuracy_interval" in results else ""
    return f" (95 % interval {ends})"


def batch_headline(results: Results, taxonomy: Taxonomy) -> str:
    """What a model answered about a folder without labels, as one paragraph.

    Args:
        results: of a batch.
        taxonomy: gives the order of conditions.
    """
    counts = taxonomy.shown_counts(results.get("conditions") or {}, results.get("classes") or {})
    answered = [f"{number:,} {condition.name}" for condition, number in counts.items()]
    objects, photos = int(results["objects"]), int(results["photos"])
    listed = ", ".join(answered) or "none"
    text = f"The model judged {counted(objects, 'object')} on {counted(photos, 'photo')}: {listed}."
    unsure = results.get("unsure")
    if isinstance(unsure, Mapping):
        text += f" It is unsure of {int(unsure['count']):,} of them."
    return text + " Nobody has told the truth about these objects, so how often this is right cannot be said here."


def warnings(results: Results) -> list[str]:
    """What must be known before any number is believed, one sentence each."""
    found = [str(sentence) for sentence in results.get("reference_warnings") or []]
    if "reference_warnings" not in results:
        found += [text] if (text := verdict.simpler_warning(results)) else []
    if not results.get("complete", True):
        found.insert(0, "This run was stopped before all photos were judged: the numbers are about a part of them.")
    data = results.get("data") or {}
    found += [*split_note(results), *missing_references(results)]
    seen = int(data.get("photos_trained_on") or 0)
    if seen:
        found.append(
            f"The model was trained on {seen:,} of these {int(data.get('photos') or 0):,} photos: it may only remember "
            "them, which flatters it."
        )
    return found


def split_note(results: Results) -> list[str]:
    """The sentence about photos that the split of the model's training leaves out, where there are any."""
    note = str((results.get("data") or {}).get("split_note") or "")
    return [f"{note[0].upper()}{note[1:]}."] if note else []


def taken_over(results: Results) -> str:
    """The sentence about answers that another run had given already; "" where the run gave them itself."""
    source = results.get("answers_from")
    if not source:
        return ""
    when = time.strftime("%d %B %Y, %H:%M", time.localtime(source["created"]))
    return f"Judged already by run {source['run']} on {when}; photos, model and settings are the same."


def missing_references(results: Results) -> list[str]:
    """The sentence of a score whose reference points are still to come, or whose run was ended before they came."""
    wanted = ((results.get("settings") or {}).get("judging") or {}).get("references")
    if not wanted or "references" in results or "overall_accuracy" not in results:
        return []
    return ["The reference points are not measured yet: nobody knows so far whether simpler methods do as well."]


def broken_promise(found: UnsureSummary) -> str:
    """Where sure answers were wrong more often than is tolerated: on these photos the threshold was too low.

    Args:
        found: `unsure` of the results.

    Returns:
        The sentences; "" where the error is within its limit, or not known.
    """
    right, most = found.get("accuracy_of_sure"), found.get("max_error")
    if right is None or most is None or 1 - right <= most:
        return ""
    return (
        f"On these photos {percent(1 - right)} of the sure answers were wrong, more than the {percent(most)} "
        "tolerated: the threshold was chosen on other and few photos. Do not rely on a single sure answer yet."
    )


def limits(results: Results, kind: str, taxonomy: Taxonomy) -> list[str]:
    """What a report cannot say, from what is known about data and model, one sentence each.

    Args:
        results: of the run.
        kind: of the run; a "batch" has no truth.
        taxonomy: names the classes.
    """
    data, model = results.get("data") or {}, results.get("model") or {}
    found = _limits_of_batch(results) if kind == "batch" else _limits_of_score(results, taxonomy)
    requested = (results.get("settings") or {}).get("model", {}).get("path")
    if model.get("path") in SHIPPED_MODELS or requested in SHIPPED_MODELS:
        found.append(
            "The demo model is a small teaching model that was made from drawn scenes: on real photos its answers are "
            "no basis for any decision."
        )
    if str(data.get("path", "")) == "demo":
        found.append("These are drawn sample photos, not photos of a dam.")
    if "calibration" not in results and kind != "batch":
        found.append("The probabilities were not calibrated: how sure the model seems is not how often it is right.")
    found.append("Only what is boxed was judged. A fault that nobody boxed is in no number here.")
    return found


def _limits_of_score(results: Results, taxonomy: Taxonomy) -> list[str]:
    found = []
    data = results.get("data") or {}
    split = str(data.get("split") or "")
    photos, flights = int(data.get("photos") or 0), int(results.get("flights") or 0)
    ends = results.get("accuracy_interval")
    if 0 < flights < FEW_FLIGHTS:
        found.append(_few_flights(results, flights))
    elif not flights and 0 < photos < FEW_FLIGHTS:  # of results from before flights were counted
        found.append(f"Only {counted(photos, 'photo')} were judged: on others the score may be quite another.")
    elif ends and ends[1] - ends[0] > WIDE_INTERVAL:
        wide = 100 * (ends[1] - ends[0])
        found.append(f"The interval of the accuracy is {wide:.0f} points wide: smaller differences say nothing.")
    thin = [
        f"{taxonomy.shown_class(name)} ({figures['total']})"
        for name, figures in (results.get("per_class") or {}).items()
        if 0 < int(figures.get("total") or 0) < FEW_OF_A_CLASS
    ]
    if thin:
        found.append(f"So few objects stand behind these classes that their scores say little: {', '.join(thin)}.")
    if (results.get("model") or {}).get("adapter") and split == "valid":
        found.append(
            "The model's best state was chosen on these validation photos, so the score flatters it a little. Judge it "
            "on a test split."
        )
    if split == "train":
        found.append("These are training photos: the score says nothing about photos that the model has not seen.")
    if (results.get("settings") or {}).get("data", {}).get("limit"):
        found.append("Only a part of the split was judged, as the settings asked (data.limit).")
    if not results.get("references"):
        found.append("No reference points but guessing were measured: simpler methods may do as well.")
    where = SPLITS.get(split, "photos")
    found.append(f"The score holds for photos like these {where}; another site, camera, season or height may differ.")
    return found


def _few_flights(results: Results, flights: int) -> str:
    """That a score of few flights need not hold for others, with the lowest and the highest of them."""
    were = "flights were" if flights > 1 else "flight was"
    text = f"Only {flights} {were} judged: on others the score may be quite another."
    low, high = results.get("lowest_flight"), results.get("highest_flight")
    if flights == 1 or not low or not high:
        return text
    ends = [f"{share(flight['accuracy'])} ({flight['flight']})" for flight in (low, high)]
    return f"{text} It goes from {ends[0]} to {ends[1]}."


def known_score(results: Results) -> str:
    """What an evaluation of the same model on labelled photos showed, for a report that has no truth of its own."""
    split = SPLITS.get(str((results.get("data") or {}).get("split")), "labelled photos")
    span = _interval_note(results)
    return (
        f"When this model was evaluated on {int(results['total']):,} labelled objects of {split} it was right for "
        f"{percent(results['overall_accuracy'])}{span}. That holds here only as far as these photos are like those."
    )


def _limits_of_batch(results: Results) -> list[str]:
    found = [
        "There is no truth to compare with: this report holds answers, not a score. How reliable this model is, an "
        "evaluation on labelled photos tells."
    ]
    if results.get("whole_photos"):
        found.append(
            "The photos have no boxes, so each whole photo was judged as one object. That is coarse: a photo that "
            "shows several objects gets one answer, and small faults are easily lost."
        )
    if results.get("type_unknown"):
        number = int(results["type_unknown"])
        text = "1 object's type was" if number == 1 else f"The types of {number:,} objects were"
        found.append(f"{text} not known, so type and condition were asked together, which is harder.")
    if "unsure" not in results:
        found.append("The model has no calibration: how sure it seems is not how often it is right.")
    return found
