"""What each quality measurement means: unit, definition, and where recordings of good quality lie."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ._reversal import TITLES


@dataclass(frozen=True, slots=True)
class Measurement:
    """What one number means.

    Attributes
    ----------
    unit : str
    definition : str
    low, high : float
        Where recordings of good quality lie.
    per_lead : bool
        Named ``name.lead``, one a lead; else one a record.
    """

    unit: str
    definition: str
    low: float
    high: float
    per_lead: bool = True


MEASUREMENTS: Mapping[str, Measurement] = {
    "missing_share": Measurement("1", "Share of samples that are NaN or infinite.", 0, 0),
    "flat_share": Measurement("1", "Share of the time in constant stretches of a second or more.", 0, 0),
    "clipped_share": Measurement("1", "Share of samples in several runs at the lead's own highest or lowest value.", 0, 0.002),
    "range_mv": Measurement("mV", "Range of the 0.67–40 Hz part: 99.5th less 0.5th percentile.", 0.1, 5),
    "level_mv": Measurement("mV", "Absolute median of the signal as it is.", 0, 5),
    "baseline_mv": Measurement("mV", "Range of what is slower than 0.67 Hz: 98th less 2nd percentile.", 0, 0.8),
    "jump_mv": Measurement("mV", "Largest change of the median from one 0.25 s to the second next.", 0, 1.0),
    "muscle_mv": Measurement("mV", "RMS from 20 to 47 Hz, lower quartile over 0.1 s: muscle between the beats.", 0, 0.02),
    "burst_mv": Measurement("mV", "The same, 90th percentile over windows of 0.5 s of their lower quartile.", 0, 0.04),
    "mains_mv": Measurement("mV", "Amplitude of the line at 50 or 60 Hz, whichever is the stronger.", 0, 0.03),
    "mains_share": Measurement("1", "Share of that line in the power above 30 Hz.", 0, 0.5),
    "mains_hz": Measurement("Hz", "Which of 50 and 60 Hz is the stronger.", 50, 60),
    "agreement": Measurement("1", "Correlation of a beat with its likest others: median over beats.", 0.8, 1),
    "contrast_db": Measurement("dB", "Power of 6–25 Hz within 60 ms of a beat against its median elsewhere.", 8, 60),
    "n_leads": Measurement("1", "Leads with any sample.", 1, 64, per_lead=False),
    "n_beats_per_s": Measurement("1/s", "Beats by their energy, a second.", 0.5, 2.5, per_lead=False),
    "rr_spread": Measurement("1", "Spread of RR by energy: (90th − 10th percentile) / median.", 0, 0.6, per_lead=False),
    "algebra_mv": Measurement("mV", "Residual of the worst limb-lead equation, 95th percentile.", 0, 0.02, per_lead=False),
    "qrs_mv": Measurement("mV", "Median over leads of the average beat's range.", 0.3, 4, per_lead=False),
    **{f"reversal_{name}": Measurement("1", f"Log odds that {title} are exchanged, from the chest leads.", -60, 5,
                                       per_lead=False) for name, title in TITLES.items()},
    "reversal_rl": Measurement("1", "Range of the flattest of I, II, III against the largest of the three.", 0.1, 1,
                               per_lead=False),
}  # fmt: skip
"""Every measurement by name; the label-free part of quality, which features may take. The score is none of them."""

PER_LEAD = tuple(name for name, about in MEASUREMENTS.items() if about.per_lead)
OF_RECORD = tuple(name for name, about in MEASUREMENTS.items() if not about.per_lead)
