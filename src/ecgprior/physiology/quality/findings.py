"""From numbers to findings: what is wrong, with which lead, how badly, and the number that says so.

Thresholds are our own. They were set so that each fires on its fault made by arithmetic and on few of the ordinary
recordings of PTB-XL and LUDB; ``benchmarks/quality.py`` counts both.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ...record.amplitude import check_amplitude
from ...record.leads import check_leads
from ...record.record import LEADS, Record
from ._reversal import TITLES
from .measurements import Measured
from .score import GAPPED, RIDDLED, hum_ratio, missing_part

FINDINGS = (
    "missing", "flat", "electrode off", "clipped", "baseline", "muscle noise", "mains", "no clear beats",
    "limb leads contradict", "limb-lead reversal", "gain or unit", "no beats", "too short",
)  # fmt: skip
"""Every kind of finding."""

NOTE, SEVERE = "note", "severe"

_LOST, _GAPS = 0.8, 0.02
_FLAT_SHARE, _FLAT_RANGE_MV = 0.1, 0.03
_OFF_LEVEL_MV, _OFF_RANGE_MV, _OFF_AGREEMENT = 15.0, 15.0, 0.9
_CLIPPED, _CLIPPED_MUCH = 0.004, 0.1
_BASELINE_MV, _JUMP_MV, _BASELINE_MUCH_MV, _ABRUPT = 2.0, 2.5, 6.0, 0.7
_MUSCLE_MV, _BURST_MV, _MUSCLE_MUCH_MV = 0.015, 0.045, 0.06
_MAINS_MV, _MAINS_SHARE, _MAINS_MUCH_MV = 0.025, 0.3, 0.3
_DROWNED = 1.5
_UNCLEAR = 0.35
_CONTRADICT_MV, _MOST_SAMPLES = 0.05, 5000
_REVERSAL = {"ra_la": 1.5, "la_ll": 4.5, "ra_ll": 1.5}
_RL_RATIO, _RL_MV, _GAIN_LOW_MV, _GAIN_HIGH_MV = 0.06, 0.3, 0.25, 3.5


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is wrong.

    Attributes
    ----------
    name : str
        One of :data:`FINDINGS`.
    severity : str
        ``"note"``: seen, the lead can still be read. ``"severe"``: it cannot, or not be trusted.
    reason : str
        One sentence with the number.
    lead : str or None
        None = the whole record.
    """

    name: str
    severity: str
    reason: str
    lead: str | None = None

    def __str__(self) -> str:
        return f"{self.lead}: {self.reason}" if self.lead else self.reason


def lead_findings(measured: Measured) -> dict[str, tuple[Finding, ...]]:
    """What is wrong with each lead; an empty tuple = nothing."""
    found: dict[str, tuple[Finding, ...]] = {}
    for row, lead in enumerate(measured.leads):
        at = {name: float(values[row]) for name, values in measured.lead.items()}
        signal = _no_signal(at)
        others = [] if signal and signal[0][1] == SEVERE else [rule(at) for rule in _RULES]
        listed = [*signal, *(found for found in others if found)]
        found[lead] = tuple(Finding(name, severity, reason, lead) for name, severity, reason in listed)
    return found


_Said = tuple[str, str, str]


def _no_signal(at: dict[str, float]) -> list[_Said]:
    """Missing, flat or off: where one of these is severe there is no trace to say more about."""
    missing, flat, level = at["missing_share"], at["flat_share"], at["level_mv"]
    if missing >= 1:
        return [("missing", SEVERE, "missing: the lead holds no sample")]
    said = []
    if missing > _GAPS:
        severity = SEVERE if missing >= _LOST else NOTE
        said.append(("missing", severity, f"missing: {missing:.0%} of the samples"))
    rail = level > _OFF_LEVEL_MV
    lost = flat >= _LOST or at["range_mv"] < _FLAT_RANGE_MV
    if lost and rail:
        return [*said, ("electrode off", SEVERE, f"electrode off: the lead rests at {level:.0f} mV")]
    if at["range_mv"] > _OFF_RANGE_MV and not at["agreement"] >= _OFF_AGREEMENT:
        text = f"electrode off: the lead swings over {at['range_mv']:.0f} mV"
        return [*said, ("electrode off", SEVERE, text)]
    if flat >= _FLAT_SHARE:
        said.append(("flat", SEVERE if flat >= _LOST else NOTE, f"flat: constant for {flat:.0%} of the time"))
    elif at["range_mv"] < _FLAT_RANGE_MV:
        said.append(("flat", SEVERE, f"flat: the trace moves by {1000 * at['range_mv']:.0f} µV only"))
    return said


def _clipped(at: dict[str, float]) -> _Said | None:
    share = at["clipped_share"]
    if not share > _CLIPPED:
        return None
    return (
        "clipped",
        SEVERE if share > _CLIPPED_MUCH else NOTE,
        f"clipped: {share:.1%} of the samples lie at a rail",
    )


def _baseline(at: dict[str, float]) -> _Said | None:
    wander, jump = at["baseline_mv"], at["jump_mv"]
    if wander > _BASELINE_MV or jump > _JUMP_MV:
        severity = SEVERE if max(wander, jump) > _BASELINE_MUCH_MV else NOTE
        if jump > _ABRUPT * wander:
            return "baseline", severity, f"baseline: it jumps by {jump:.1f} mV"
        return "baseline", severity, f"baseline: it wanders over {wander:.1f} mV"
    return None


def _muscle(at: dict[str, float]) -> _Said | None:
    steady, burst = at["muscle_mv"], at["burst_mv"]
    if not (steady > _MUSCLE_MV or burst > _BURST_MV):
        return None
    severity = SEVERE if steady > _MUSCLE_MUCH_MV else NOTE
    if steady > _MUSCLE_MV:
        return (
            "muscle noise",
            severity,
            f"muscle noise: {1000 * steady:.0f} µV between the beats (20 to 47 Hz)",
        )
    return "muscle noise", severity, f"muscle noise: bursts of {1000 * burst:.0f} µV (20 to 47 Hz)"


def _mains(at: dict[str, float]) -> _Said | None:
    if not (at["mains_mv"] > _MAINS_MV and at["mains_share"] > _MAINS_SHARE):
        return None
    text = (
        f"mains: {at['mains_hz']:.0f} Hz carries {at['mains_share']:.0%} of the power above 30 Hz "
        f"({1000 * at['mains_mv']:.0f} µV)"
    )
    return "mains", SEVERE if at["mains_mv"] > _MAINS_MUCH_MV else NOTE, text


def _unclear(at: dict[str, float]) -> _Said | None:
    if not at["agreement"] < _UNCLEAR:
        return None
    return "no clear beats", NOTE, f"no clear beats: they resemble each other by {at['agreement']:.2f} only"


_RULES: tuple[Callable[[dict[str, float]], _Said | None], ...] = (
    _clipped,
    _baseline,
    _muscle,
    _mains,
    _unclear,
)


def record_findings(
    record: Record, measured: Measured, leads: dict[str, tuple[Finding, ...]], unit: str
) -> tuple[Finding, ...]:
    """What is wrong with the record as a whole; `unit` is what its amplitudes say about their unit.

    ``"missing"``: in the median lead 20 % of the samples or more, severe from 30 % on, where the score is at most a half.
    """
    lost = {lead for lead, found in leads.items() if any(f.severity == SEVERE for f in found)}
    said = [
        _too_short(record),
        ("gain or unit", SEVERE, f"unit: it {unit}") if unit else _gain(measured, lost),
        _gapped(measured),
        _no_beats(record, measured),
        _drowned(measured),
        _electrode(measured, lost),
        _contradiction(record, measured),
        _reversal(measured, lost),
    ]
    return tuple(Finding(*each) for each in said if each)


def _too_short(record: Record) -> _Said | None:
    if record.seconds >= 2.5:
        return None
    return (
        "too short",
        SEVERE,
        f"too short: {record.seconds:.3g} s, of which nothing certain can be said (2.5 s can)",
    )


def _gapped(measured: Measured) -> _Said | None:
    missing = missing_part(measured)
    if not GAPPED <= missing < 1:
        return None
    severity = SEVERE if missing >= (GAPPED + RIDDLED) / 2 else NOTE
    return "missing", severity, f"missing: {missing:.0%} of the samples in the middle lead"


def _gain(measured: Measured, lost: set[str]) -> _Said | None:
    size = measured.record["qrs_mv"]
    clear = np.nan_to_num(measured.lead["agreement"]) > 0.8
    if (
        clear.sum() * 2 < len(clear)
        or len(lost) * 2 > len(clear)
        or _GAIN_LOW_MV <= size <= _GAIN_HIGH_MV
        or np.isnan(size)
    ):
        return None
    no_qrs = ", or P waves without QRS" if size < _GAIN_LOW_MV else ""
    return "gain or unit", NOTE, f"gain: beats of {size:.2g} mV in the middle lead (0.4 to 3 mV are usual){no_qrs}"


def _no_beats(record: Record, measured: Measured) -> _Said | None:
    if record.seconds < 2.5 or record.fs < 60:
        return None
    rate, agreement = measured.record["n_beats_per_s"], measured.lead["agreement"]
    known = agreement[~np.isnan(agreement)]
    if len(known) and np.median(known) >= 0.5:
        return None
    if len(known) and known.max() >= 0.7:
        return None
    if not len(known):
        few = "none stands out" if not rate > 0 else "fewer than two stand out whole"
        return "no beats", SEVERE, f"no beats: {few}"
    return (
        "no beats",
        SEVERE,
        f"no beats: what stands out agrees by {np.median(known):.2f} (below 0.5 is noise)",
    )


def _drowned(measured: Measured) -> _Said | None:
    ratio = hum_ratio(measured)
    if not ratio >= _DROWNED:
        return None
    return "mains", SEVERE, f"mains: its wave is {ratio:.1f} times as high as the trace under it"


def _electrode(measured: Measured, lost: set[str]) -> _Said | None:
    """Two of I, II, III are lost and the third is not: the electrode that the two share."""
    shared = {frozenset(("I", "II")): "RA", frozenset(("I", "III")): "LA", frozenset(("II", "III")): "LL"}
    if not set(LEADS[:3]) <= set(measured.leads):
        return None
    gone = frozenset(lost & set(LEADS[:3]))
    if gone not in shared:
        return None
    left = (set(LEADS[:3]) - gone).pop()
    one, two = sorted(gone, key=LEADS.index)
    return (
        "electrode off",
        SEVERE,
        f"electrode off: {shared[gone]} – {one} and {two} cannot be read while {left} can",
    )


def _contradiction(record: Record, measured: Measured) -> _Said | None:
    residual = measured.record["algebra_mv"]
    if not residual > _CONTRADICT_MV:
        return None
    step = max(1, record.n_samples // _MOST_SAMPLES)  # the equations hold for any samples
    some = record.signal[:, ::step]
    check = check_leads(record.with_(signal=np.where(np.isfinite(some), some, np.nan)))
    if check.ok is not False:
        return None
    return (
        "limb leads contradict",
        SEVERE,
        f"limb leads: {check.finding} (residual {check.residual_mv:.2f} mV)",
    )


def _reversal(measured: Measured, lost: set[str]) -> _Said | None:
    odds = {name: measured.record[f"reversal_{name}"] for name in TITLES}
    likely = [name for name, value in odds.items() if value > _REVERSAL[name]]
    if likely:
        best = max(likely, key=lambda name: odds[name])
        sure = "possibly" if best == "la_ll" else "probably"
        text = f"limb-lead reversal: {TITLES[best]} are {sure} exchanged (log odds {odds[best]:.1f})"
        if best == "ra_la":
            text += ", or the heart lies at the right"
        return "limb-lead reversal", NOTE if best == "la_ll" else SEVERE, text
    ratio = measured.record["reversal_rl"]
    off = {lead for lead, at in zip(measured.leads, measured.lead["level_mv"]) if at > _OFF_LEVEL_MV}
    others = len(
        lost - off
    )  # a single flat lead is what an exchange leaves; a fallen electrode takes several
    broken = measured.record["algebra_mv"] > _CONTRADICT_MV  # and a lead lost later on breaks the law
    if not ratio < _RL_RATIO or others > 1 or off or broken:
        return None
    text = f"limb-lead reversal: one of I, II, III is nearly flat ({ratio:.0%} of the largest): RL is probably exchanged"
    return "limb-lead reversal", SEVERE, text


def unit_finding(record: Record) -> tuple[float, str]:
    """The factor that brings amplitudes to mV, and why; (1, "") when they can be millivolts."""
    check = check_amplitude(record)
    return (1.0, "") if check.ok else (check.factor, check.finding)
