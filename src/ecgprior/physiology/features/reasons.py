"""Why a feature is NaN: one small number a reason, one fixed sentence a number."""

from __future__ import annotations

from enum import IntEnum


class Reason(IntEnum):
    """Codes beside measured values (uint8); 0 = the value was measured. Corpora keep them: a number never changes."""

    MEASURED = 0
    NO_BEATS = 1
    NO_LEAD = 2
    NO_QRS = 3
    NO_P = 4
    NO_T = 5
    FEW_BEATS = 6
    NO_EDGE = 7
    NO_SIGNAL = 8
    NO_R = 9
    TOO_SMALL = 10
    LITTLE_TQ = 11
    IMPLAUSIBLE = 12
    GAP = 13
    UNIT = 14
    FAILED = 15


SENTENCES = {
    Reason.MEASURED: "",
    Reason.NO_BEATS: "no beats found",
    Reason.NO_LEAD: "lead is missing",
    Reason.NO_QRS: "no QRS seen in this lead",
    Reason.NO_P: "no P wave",
    Reason.NO_T: "no T wave",
    Reason.FEW_BEATS: "too few beats",
    Reason.NO_EDGE: "wave has no onset or offset",
    Reason.NO_SIGNAL: "signal is missing at the wave",
    Reason.NO_R: "no R wave",
    Reason.TOO_SMALL: "deflection is too small to have a direction",
    Reason.LITTLE_TQ: "too little signal between T and QRS",
    Reason.IMPLAUSIBLE: "implausible: outside the plausible range",
    Reason.GAP: "signal is missing between beats",
    Reason.UNIT: "amplitudes are not in mV: pass their unit",
    Reason.FAILED: "could not be worked on",
}
"""The sentence of each code; :attr:`Features.reasons` names the range of an implausible value and the likely unit."""
