"""What the beats around say of a beat: whether a doubtful P is one, and whether a QRS is one.

Sinus rhythm has a P before nearly every QRS, and always as long before it; fibrillation has neither. A QRS is followed by
a T; a P wave of atria that no ventricle answers is not. No loop over beats.

**Source**: our own rules (``log/2026-11-22-standstill.md``).
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .features.statistics import row_median
from .rules import Rules
from .runs import Runs


def unsupported(p: NDArray[np.int64], top: NDArray[np.float32], rules: Rules) -> NDArray[np.bool_]:
    """(K,): beats whose P is in doubt, among beats that mostly have none. `p` is the event of each beat's P or -1."""
    if not len(p) or not len(top):
        return np.zeros(len(p), bool)
    here = np.where(p >= 0, top[p], 0.0)
    n_beats = _around(np.ones(len(p)), rules.p_around)
    return (here < rules.p_sure) & (_around(here, rules.p_around) < rules.p_support * n_beats)


def in_series(pr: NDArray[np.float64], sure: NDArray[np.bool_], rules: Rules) -> NDArray[np.bool_]:
    """(K,): beats whose P, if faint, comes as long before QRS as the clear ones around it do; `pr` in ms, NaN = no P."""
    reach = rules.p_around
    if not len(pr):
        return np.zeros(0, bool)
    around = np.lib.stride_tricks.sliding_window_view(
        np.pad(np.where(sure, pr, np.nan), reach, constant_values=np.nan), 2 * reach + 1
    )
    n_clear, n_beats = np.isfinite(around).sum(axis=1), _around(np.ones(len(pr)), reach)
    usual = row_median(around)
    spread = row_median(np.abs(around - usual[:, None]))
    enough = (n_clear >= rules.p_clear) & (n_clear >= rules.p_clear_share * n_beats)
    return enough & (spread <= rules.p_spread_ms) & (np.abs(pr - usual) <= 2 * rules.p_spread_ms)


def without_t(has_t: NDArray[np.bool_], qrs: Runs, rules: Rules) -> NDArray[np.bool_]:
    """(K,): QRS, none of them certain, that hardly ever have a T: P waves of a heart whose ventricles stand still."""
    if len(qrs) < 3:
        return np.zeros(len(qrs), bool)
    around = lambda x: _around(np.asarray(x, np.float64), rules.t_around)  # noqa: E731
    few = rules.t_share * around(np.ones(len(qrs)))
    no_rest = around(qrs.offset - qrs.onset) > rules.t_busy * around(np.gradient(qrs.centre))
    return (around(has_t) < few) & (around(qrs.top >= rules.t_level) < few) & ~no_rest


def _around(x: NDArray[np.float64], reach: int) -> NDArray[np.float64]:
    """Sum of `x` over each place and `reach` on either side, as far as there are any."""
    total = np.concatenate([[0.0], np.cumsum(x)])
    at = np.arange(len(x))
    return total[np.minimum(at + reach + 1, len(x))] - total[np.maximum(at - reach, 0)]
