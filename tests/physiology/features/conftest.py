"""A hand-made ECG of boxes: every number of it can be worked out on paper."""

import numpy as np
import pytest

from ecgprior.record.beats import Delineation
from ecgprior.record.record import LEADS, Record

FIRST = 150  # sample of the first R


def boxes(
    n=5, rr=320, fs=500, leads=LEADS, p=0.1, q=-0.25, r=1.0, s=-0.5, st=0.0, t=0.3,
    p_on=-100, p_off=-60, on=-20, off=30, t_on=80, t_off=180, no_p=(), no_t=(), qrs=None,
    gone=(), unseen=(), level=0.0, lone=(), r_at=None, cut=None, f=None,
):  # fmt: skip
    """Record and delineation of `n` beats; samples are counted from R.

    A number holds for all beats and leads; a list has one entry a beat; a dict one a lead (None = the others).
    P lies on p_on … p_off, Q on on … −11, R on −10 … 9, S on 10 … off − 1, ST on off … t_on − 1, T on t_on … t_off;
    `qrs` gives other pieces of QRS as (first, last, mV). `gone` leads are NaN, `unseen` leads have no marks.
    `f` = (mV, Hz) lays a sinusoid under everything.
    """
    r_at = np.asarray(r_at if r_at is not None else FIRST + rr * np.arange(n))
    n = len(r_at)
    n_samples = int(r_at[-1]) + 300 if n else 1000
    signal = np.full((len(leads), n_samples), level, np.float32)
    points = np.full((len(leads), n, 3, 3), np.nan)
    for k in range(n):
        for row, lead in enumerate(leads):
            of = lambda v: pick(v, k, lead)  # noqa: B023, E731
            pieces = of(qrs) or [(of(on), -11, of(q)), (-10, 9, of(r)), (10, of(off) - 1, of(s))]
            pieces = [*pieces, (of(off), of(t_on) - 1, of(st))]
            if k not in no_p:
                pieces = [*pieces, (of(p_on), of(p_off), of(p))]
                points[row, k, 0] = of(p_on), (of(p_on) + of(p_off)) / 2, of(p_off)
            points[row, k, 1] = of(on), 0, of(off)
            if k not in no_t:
                pieces = [*pieces, (of(t_on), of(t_off), of(t))]
                points[row, k, 2] = of(t_on), of(t_on) + 40, of(t_off)
            for first, last, height in pieces:
                signal[row, r_at[k] + first : r_at[k] + last + 1] += height
    if f is not None:
        signal += np.float32(f[0]) * np.sin(2 * np.pi * f[1] * np.arange(n_samples) / fs).astype(np.float32)
    points += r_at[None, :, None, None]
    over_all = points[0].copy() if len(leads) else np.zeros((n, 3, 3))
    for row, lead in enumerate(leads):
        if lead in gone:
            signal[row] = np.nan
        if lead in gone or lead in unseen:
            points[row] = np.nan
    extra = {}
    if len(lone):
        extra["lone_p"] = np.tile(
            np.asarray(lone, float)[None, :, None] + [-20, 0, 20], (len(leads) + 1, 1, 1)
        )
    record = Record(signal[:, :cut], fs, leads)
    return record, Delineation(leads, points, over_all, **extra)


def pick(value, beat, lead):
    """A number, or the beat's or the lead's one."""
    if isinstance(value, dict):
        return value.get(lead, value.get(None))
    if isinstance(value, list) and value and not isinstance(value[0], tuple):
        return value[beat]
    return value


@pytest.fixture(name="boxes", scope="session")
def _boxes():
    return boxes
