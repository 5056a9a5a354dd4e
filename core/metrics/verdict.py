"""What scores prove, in a few words with their reasons: page, report and command line all take it from here."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from core.metrics.compare import BETTER, UNCLEAR, WORSE
from core.metrics.flights import FEW_FLIGHTS, LEAST_FLIGHTS, TOO_FEW_FLIGHTS
from core.metrics.reference_points import BY_KEY, NOT_WORTH_IT, POINTS, PRIOR, references_of, simpler_is_better
from core.results import Comparison, Results
from core.units import counted, percent, points

# What a set of answers is against guessing and against simpler methods.
ABOVE, BELOW, NO_BETTER = "better than guessing", "worse than guessing", "no better than guessing"
SIMPLER, UNKNOWN = "simpler methods do better", "not compared with guessing"
# What a comparison is whose better side is still no use.
BETTER_YET_BELOW, BETTER_YET_NO_BETTER = "better, yet worse than guessing", "better, yet no better than guessing"
BETTER_YET_SIMPLER = "better, yet simpler methods do better"
YET = {BELOW: BETTER_YET_BELOW, NO_BETTER: BETTER_YET_NO_BETTER, SIMPLER: BETTER_YET_SIMPLER}
TONES = {ABOVE: "up", BETTER: "up", BELOW: "down", WORSE: "down"}
LIMIT_OF_SENSE = 20  # beyond so many times the flights, more of them are no advice


@dataclass(frozen=True)
class Verdict:
    """What is proved, and why.

    Attributes:
        outcome: One of the constants above, or of `core.metrics.compare`.
        reasons: Whole sentences: what it is compared with, the interval, and the flights behind it.
        warning: That simpler methods do better, which page and report list with their other warnings; "" otherwise.
    """

    outcome: str
    reasons: tuple[str, ...]
    warning: str = ""

    @property
    def title(self) -> str:
        """The outcome as a heading."""
        return self.outcome[:1].upper() + self.outcome[1:]

    @property
    def tone(self) -> str:
        """`up` or `down` for what is proved and matters; "" for all else, which is no success."""
        return TONES.get(self.outcome, "")

    def __str__(self) -> str:
        return " ".join(filter(None, [f"{self.title}.", *self.reasons, self.warning]))


def of_score(results: Results) -> Verdict:
    """What a set of answers proves against its reference points.

    The 95 % interval of its accuracy decides against guessing; simpler methods count as better where the engine's
    warning or, in results from before there were any, the interval says so.
    """
    guessing, ends = references_of(results).get(PRIOR), results.get("accuracy_interval")
    guess = guessing.get("accuracy") if guessing else None
    if guess is None:
        outcome, reason = UNKNOWN, "What guessing would score is not known here."
    else:
        outcome, reason = _against_guessing(guess, ends, "accuracy_interval" in results, _macro_f1(results))
    reasons = [reason]
    if flights := results.get("flights"):
        reasons.append(f"Counted over {counted(flights, 'flight')}.")
    warning = simpler_warning(results) or ""
    if warning and outcome in (ABOVE, UNKNOWN):
        outcome = SIMPLER
    return Verdict(outcome, tuple(reasons), warning)


def of_accuracy(interval: Sequence[float] | None, guess: float) -> Verdict:
    """What an accuracy proves of which no more is known than its interval, such as an average over trainings.

    Args:
        interval: Its 95 % interval (low, high) as shares; None where there were too few flights for one.
        guess: The share that guessing the most frequent condition of each type gets right on the same objects.
    """
    outcome, reason = _against_guessing(guess, interval, True)
    return Verdict(outcome, (reason,))


def _against_guessing(guess: float, ends: Sequence[float] | None, has_key: bool, macro_f1: str = "") -> tuple[str, str]:
    """The outcome, and the sentence that says what guessing would score."""
    score = f"{BY_KEY[PRIOR].named.capitalize()} of each type would score {percent(guess)}{macro_f1}"
    if not ends:
        few = f"{score}; of so few flights nobody can say which is better."
        return (TOO_FEW_FLIGHTS, few) if has_key else (UNKNOWN, f"{score}.")
    if ends[0] > guess:
        return ABOVE, f"{score}, so the model is better than guessing on these photos."
    if ends[1] < guess:
        return BELOW, f"{score}, so the model is worse than guessing on these photos."
    within = "which lies within the interval: the model is not clearly better than guessing on these photos."
    return NO_BETTER, f"{score}, {within}"


def _macro_f1(results: Results) -> str:
    macro = references_of(results)[PRIOR].get("macro_f1")
    return f" (macro-F1 {percent(macro)})" if macro is not None else ""


def simpler_warning(results: Results) -> str | None:
    """The sentence that simpler methods do clearly better than the model; None where they do not, or nothing is known.

    Of results from before there were warnings: those that lie above the model's interval.
    """
    if "reference_warnings" in results:
        warnings = (str(warning) for warning in results.get("reference_warnings") or ())
        return next((warning for warning in warnings if NOT_WORTH_IT in warning), None)
    ends, references = results.get("accuracy_interval"), references_of(results)
    known = {
        point.key: references[point.key]["accuracy"] for point in POINTS if point.simpler and point.key in references
    }
    better = {key: accuracy for key, accuracy in known.items() if ends and (accuracy or 0) > ends[1]}
    return simpler_is_better(float(results["overall_accuracy"]), better) if better else None


def of_difference(found: Comparison, after: Results | None = None) -> Verdict:
    """What a comparison proves.

    The interval of its macro-F1 change decides, and one that holds 0 proves nothing. A side that is better, yet no
    better than guessing or than simpler methods, is no success.

    Args:
        found: What `core.metrics.compare` found.
        after: The results of the later side; None leaves out what it is worth by itself.
    """
    worth = of_score(after) if after is not None else None
    outcome, reasons = found["verdict"], [_difference(found)]
    if worth is not None and worth.outcome in YET:
        outcome = YET[worth.outcome] if outcome == BETTER else outcome
        first, *others = [worth.warning] if worth.outcome == SIMPLER else worth.reasons
        reasons += [f"The later model by itself: {first[:1].lower()}{first[1:]}", *others]
    return Verdict(outcome, tuple(reasons))


def _difference(found: Comparison) -> str:
    change, flights, ends = float(found["macro_f1_change"]), int(found["flights"]), found["macro_f1_change_interval"]
    if ends is None:
        few = counted(flights, "flight")
        lead = f"The difference of macro-F1 is {points(change)} points, from {few}: too few to prove anything."
        return f"{lead} At least {LEAST_FLIGHTS} are wanted.{_apart(found)}"
    low, high = ends
    lead = f"The difference of macro-F1 is {points(change)} points (95 % interval {points(low)} to {points(high)}): "
    if found["verdict"] == UNCLEAR:
        return f"{lead}the interval includes 0. {more_flights(change, ends, flights)}{_apart(found)}"
    side = "above" if found["verdict"] == BETTER else "below"
    return f"{lead}the whole interval lies {side} 0.{_apart(found)}"


def _apart(found: Comparison) -> str:
    """Of few flights, how far the change in accuracy lies apart; begins with a space."""
    if not 1 < found["flights"] < FEW_FLIGHTS:
        return ""
    low, high = found["lowest_flight"], found["highest_flight"]
    return (
        f" From flight to flight accuracy changes by {points(low['accuracy_change'])} ({low['flight']}) to "
        f"{points(high['accuracy_change'])} points ({high['flight']})."
    )


def more_flights(change: float, ends: Sequence[float], flights: int) -> str:
    """How many flights might tell, if the difference stayed: intervals shrink with the root of their number."""
    reach = change - ends[0] if change > 0 else ends[1] - change
    if change == 0 or flights == 0:
        return "On these photos both are equally good."
    times = (reach / change) ** 2
    if times > LIMIT_OF_SENSE:
        return f"Even {LIMIT_OF_SENSE} times as many flights would hardly tell: the two are about equally good."
    wanted = math.ceil(times * flights)
    wanted = math.ceil(wanted / 10) * 10 if wanted > 30 else wanted
    return f"If it stays as large, about {max(wanted, flights + 1)} flights would tell; there are {flights}."
