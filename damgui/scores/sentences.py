"""Every sentence about scores: what a number means, what a model must beat, and what a difference proves."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Literal

from core import units
from core.glossary import RECALL_WITHOUT_PRICE, TERMS
from core.metrics.alarms import FROM_OTHER_FLIGHTS
from core.metrics.flights import FEW_FLIGHTS, TOO_FEW_FLIGHTS
from core.metrics.reference_points import BY_KEY, PRIOR
from core.records import ModelAnswer
from core.results import AlarmScore, CalibrationFacts, Comparison, Results, ThresholdRule, UnsureSummary
from core.units import percent
from damgui.text import split_name

# -- One set of answers ----------------------------------------------------------------------------------------------
BALANCED = "Balanced accuracy"
BALANCED_HINT = "mean share found, every class alike"
MACRO_F1_HINT = "finds and false alarms, every class alike"
GUESSING, GUESSING_HINT = "Just guessing", BY_KEY[PRIOR].named
CHOICE = "Where there is a choice"
MUST_BEAT = "What it must beat"
MUST_BEAT_HINT = "Dots are measured, lines are 95 % intervals; the band is the model's own interval."
THIS_MODEL = "This model"
ALARMS = "Does it find what matters?"
ALARM_OTHERS = "This model has no calibration, so each flight's threshold comes from the other judged flights."
BY_CLASS = "Class by class"
BY_KIND = "By object type and condition"
SURE = "How sure may one be?"
CLASS_TABLE_HINT = " ".join(
    [*(f"{word}: {TERMS[word]}" for word in ("Support", "Recall", "Precision", "F1")), RECALL_WITHOUT_PRICE]
)
RELIABILITY_HINT = (
    "Answers are sorted by how sure the model was. On the dashed line it is right as often as it says: of the answers "
    "given with 80 %, 80 % are right. Below the line it is too sure of itself, above it too modest. The bars show how "
    "many objects stand behind each dot: few objects, little proof."
)
SURENESS: tuple[tuple[Literal["log_loss", "brier", "ece"], str, str], ...] = (
    ("log_loss", "Log-loss", TERMS["Log-loss"]),
    ("brier", "Brier score", TERMS["Brier score"]),
    ("ece", "Calibration error (ECE)", TERMS["Calibration error"]),
)
RAW, CALIBRATED = "As the model says", "Calibrated"
CALIBRATED_HINT = (
    "Calibrated: the same answers, with their probabilities pulled to what they are worth. It was measured on photos "
    "that the model neither learned from nor was chosen by."
)

# -- Two sets of answers ---------------------------------------------------------------------------------------------
CHANGES = (("accuracy_change", "Accuracy"), ("balanced_accuracy_change", BALANCED), ("macro_f1_change", "Macro-F1"))
CHANGE_TITLE = "The differences, with their intervals"
CHANGE_HINT = (
    "Points are percentage points. A line that crosses 0 proves nothing: with other flights of the same kind the "
    "difference might be the other way round. Macro-F1 and balanced accuracy count rare classes as much as common ones."
)
TURNED_RIGHT, TURNED_WRONG = ("Turned right", "mistakes no more"), ("Turned wrong", "right no more")
TURNED_NOT = ("Unchanged", "right or wrong as before")
BEFORE_RUN, AFTER_RUN = "Before", "After"
PICK_HINT = "Any two runs that judged the same objects can be compared."
NOT_COMPARABLE = "These two judged different objects, so their difference says nothing. Choose two of one data set."
OTHER_SURROUNDINGS = (
    "The data sets around these objects are not the same (other training photos, labels or splits), though the judged "
    "objects are."
)
SAME_RUN = "Twice the same run: there is nothing to compare. Choose another one."
JUDGE_BASE = "Judge the untaught model on them too"
JUDGE_SPLIT = "Photos"
VALID_CHOSE = (
    "The validation photos chose which state of the model was kept, so their score flatters a little. Test photos, "
    "where the data has them, did not."
)
TEST_HONEST = "The test photos neither taught nor chose anything: their score is the honest one."
AFTER_DETAIL = "The run “After” in detail: what it must beat, class by class, how sure one may be"
RUNS_TITLE = "All judged runs"
RUNS_HINT = "Columns after the scores are the settings in which these runs differ."
RUNS_NONE = "No judged run yet."
OTHER_OBJECTS = "other objects: not comparable"
CURVES_TITLE = "Training curves"
CURVES_PICK = "Training runs"
CURVES_EMPTY = "Choose one or more training runs."
BASE, TUNED = "untaught", "tuned"

# -- One answer ------------------------------------------------------------------------------------------------------
UNSURE = "Unsure: send to an engineer"
NO_THRESHOLD = "On the photos put aside, no percentage was high enough to rely on a single answer."
NOT_CALIBRATED = "Not calibrated: take the percentage with a grain of salt."


def not_evaluated(split: str) -> str:
    """What is said after the name of a tuned model that has not judged a split yet."""
    return f"has not judged the {split_name(split).lower()} photos yet. Judge it to see both numbers side by side."


def no_base(name: str, split: str) -> str:
    """What is said of a tuned model that judged photos which no base model did."""
    fact = f"{name} judged the {split_name(split).lower()} photos and no untaught model did"
    return f"{fact}: there is nothing to compare it with yet."


def interval(found: Mapping[str, Any], key: str, none: str = TOO_FEW_FLIGHTS) -> str:
    """As in "58.1 – 71.4 %"; `none` where the flights were too few, "" where the results tell nothing of it."""
    return units.interval(found.get(key)) or (none if key in found else "")


def score_interval(found: Mapping[str, Any], key: str) -> str:
    """The same for a score that is no percentage."""
    return units.score_interval(found.get(key)) or (TOO_FEW_FLIGHTS if key in found else "")


def by_flight(found: Results) -> str:
    """Of few flights, the lowest and the highest: they tell more than one number for all."""
    flights = found.get("flights")
    if not flights or flights >= FEW_FLIGHTS:
        return ""
    if flights == 1:
        return "All of these photos are of one flight: on another one the score may be quite another."
    low, high = found["lowest_flight"], found["highest_flight"]
    return (
        f"Only {flights} flights: from {units.share(low['accuracy'])} ({low['flight']}, {low['total']} objects) to "
        f"{units.share(high['accuracy'])} ({high['flight']}, {high['total']} objects)."
    )


def one_in(rate: float) -> str:
    """A share as people say it: "one in ten"; "3 %" where no word fits."""
    words = {2: "two", 5: "five", 10: "ten", 20: "twenty", 50: "fifty", 100: "a hundred"}
    number = round(1 / rate) if rate > 0 else 0
    return f"one in {words[number]}" if number in words and math.isclose(rate * number, 1) else percent(rate, 0)


def single_answers(found: Results) -> str:
    """What the objects with one possible answer do to the score; "" when there are none, or nothing is known."""
    alone, choice = found.get("single_answer"), found.get("with_choice")
    if not alone or not choice or not alone.get("total") or not choice.get("total"):
        return ""
    kinds = [str(kind) for kind in alone.get("types") or ["one object type"]]
    named = ", ".join(kinds[:-1]) + (" and " if len(kinds) > 1 else "") + kinds[-1]
    has = "have" if len(kinds) > 1 else "has"
    right = "always right" if alone.get("correct") == alone["total"] else f"{alone.get('correct')} of them right"
    ends = interval(choice, "accuracy_interval", "")
    rest = f"{units.share(choice['accuracy'])} right" + (f" (95 % interval {ends})" if ends else "")
    if choice.get("macro_f1") is not None:
        rest += f", macro-F1 {choice['macro_f1']:.2f}"
    return (
        f"{named[:1].upper()}{named[1:]} {has} only one possible answer: {alone['total']} objects, {right}. "
        f"Without them: {rest}, over {choice['total']} objects."
    )


def alarm(condition: str, about: AlarmScore, tolerated: float = 0.1) -> str:
    """What was found of a condition, and how many false alarms that costs, in one sentence.

    `tolerated` is the share of the other objects that may be a false alarm.
    """
    if not about.get("positives"):
        return f"No object here is {condition}, so this cannot be told."
    if not about.get("negatives"):
        return f"Every object here is {condition}, so false alarms cannot be told."
    if about.get("recall") is None:
        return "One flight has all the other objects, so no threshold can come from elsewhere: this cannot be told."
    others = int(about.get("negatives") or 0)
    false = round(float(about.get("false_alarm_rate") or 0.0) * others)
    price = f"{units.counted(false, 'false alarm')} among {others} others ({one_in(tolerated)} is tolerated)"
    sentence = f"of the {about['positives']} {condition} objects found, at {price}."
    return f"{sentence} {ALARM_OTHERS}" if about.get("threshold_from") == FROM_OTHER_FLIGHTS else sentence


def chance(found: Comparison) -> str:
    """The exact sign-flip test in an inspector's words; of few flights, why there is none."""
    better, worse, p = found["better"], found["worse"], found["p_value"]
    turned = f"{units.counted(better, 'object')} turned right, {worse} turned wrong."
    if better + worse == 0:
        return "Not one object changed between right and wrong."
    if p is None:
        return f"{turned} Under {FEW_FLIGHTS} flights no test can tell how likely chance would bring that."
    # The coarsest of these in which it is a number of times.
    among = 100 if p >= 0.01 else 1_000 if p >= 0.001 else 10_000
    times = min(among, round(p * among))
    how = f"about {'once' if times == 1 else f'{times} times'} in {among:,}" if times else "less than once in 10,000"
    proof = "" if p < 0.05 else " That is no proof."
    p_words = f"p {p:.2g}" if p >= 0.0001 else "p below 0.0001"
    return (
        f"{turned} Were both models equally good, chance would bring so uneven a change {how}.{proof} "
        f"(Exact sign-flip test over {found['flights']} flights, {p_words}.)"
    )


def calibrated_on(about: CalibrationFacts) -> str:
    """Where the percentages of a calibrated model come from."""
    objects = about.get("objects")
    return f"Calibrated on {objects:,} objects that it did not learn from." if objects else "Calibrated."


def promise(rule: ThresholdRule | None) -> str:
    """What stands behind the threshold from which on an answer is given: never more than was counted; "" if nothing."""
    if not rule:
        return ""
    threshold, answered, wrong = rule.get("threshold"), rule.get("answered"), rule.get("wrong")
    if threshold is None or not answered or wrong is None:
        return ""
    upper = rule.get("error_upper")
    worst = f" (with other photos up to {percent(upper, 0)})" if upper else ""
    were = "was" if wrong == 1 else "were"
    behind = f"Of the {answered:,} objects put aside that it was at least {percent(threshold, 0)} sure of"
    return f"{behind}, {wrong:,} {were} wrong{worst}."


def why_unsure(answer: ModelAnswer, shown: str, rule: ThresholdRule | None) -> str:
    """Why an answer is not given: the most probable one, and the threshold that it did not reach.

    `shown` is that answer as the page names it, `rule` the calibration's threshold with what it was counted on.
    """
    most_probable = f"Its most probable answer is {shown}, "
    sure, threshold = sureness(answer), answer.get("threshold")
    if threshold is None:
        return f"{most_probable}{percent(sure, 0)}. {NO_THRESHOLD}"
    # As many digits as it takes to see that one number lies below the other.
    digits = next((decimals for decimals in (0, 1) if percent(sure, decimals) != percent(threshold, decimals)), 2)
    given = f"An answer is given from {percent(threshold, digits)} on."
    return f"{most_probable}{percent(sure, digits)}. {given} {promise(rule)}".rstrip()


def unsure(about: UnsureSummary) -> tuple[str, str]:
    """(tone of the note, what it says): how many answers are unsure, and whether the sure ones keep the promise."""
    total, count, threshold = about["total"], about["count"], about.get("threshold")
    if threshold is None:
        return "warn", f"All {total} answers are unsure. {NO_THRESHOLD}"
    note = f"{count} of {total} answers are unsure (less than {percent(threshold, 0)}) and would go to an engineer"
    right, allowed = about.get("accuracy_of_sure"), about.get("max_error")
    if right is None:
        return "info", f"{note}."
    note = f"{note}; {total - count} are given, {percent(right)} of them right."
    if allowed is None or right >= 1 - allowed:
        return "info", note
    return "warn", f"{note} {percent(1 - allowed, 0)} was aimed at: the photos put aside were too few or too different."


def sureness(answer: ModelAnswer) -> float:
    """The probability to show: the calibrated one where there is one."""
    value = answer.get("calibrated_probability")
    return float(answer["probability"] if value is None else value)
