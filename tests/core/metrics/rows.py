"""Prediction rows with probabilities, as the engine writes them, made by hand."""

from __future__ import annotations

from typing import Any

WORDS = ("normal", "blocked", "damaged")


def row(truth: str, shares: dict[str, float], image: str = "a.jpg", kind: str = "toe drain") -> dict[str, Any]:
    best = max(shares, key=lambda answer: shares[answer])
    return {
        "image": image,
        "object": 0,
        "object_type": kind,
        "truth": truth,
        "predicted": best,
        "question": "condition",
        "truth_class": f"{kind} {truth}",
        "predicted_class": f"{kind} {best}",
        "choices": len(shares),
        "probabilities": shares,
    }
