"""How good predictions are, how sure one may be of that, and whether one model is better than another.

`counts.py` confusion counts and what follows from them · `resampling.py` the bootstrap over photos · `probabilities.py`
log-loss, Brier, calibration error, alarms · `scores.py` all of it for one set of rows · `compare.py` two sets ·
`calibration.py` temperature, threshold, prior correction.
"""

from core.metrics.compare import compare as compare
from core.metrics.compare import mcnemar as mcnemar
from core.metrics.counts import confusion as confusion
from core.metrics.counts import macro_f1 as macro_f1
from core.metrics.resampling import bootstrap as bootstrap
from core.metrics.scores import score as score
