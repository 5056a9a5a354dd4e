"""Scores of predictions, their confidence intervals, and comparisons between models."""

from core.metrics.compare import compare as compare
from core.metrics.counts import confusion as confusion
from core.metrics.counts import macro_f1 as macro_f1
from core.metrics.intervals import sign_flip as sign_flip
from core.metrics.scores import score as score
