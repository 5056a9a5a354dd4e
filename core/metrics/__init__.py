"""How good predictions are, how sure one may be of that, and whether one model is better than another."""

from core.metrics.compare import compare as compare
from core.metrics.counts import confusion as confusion
from core.metrics.counts import macro_f1 as macro_f1
from core.metrics.intervals import sign_flip as sign_flip
from core.metrics.scores import score as score
