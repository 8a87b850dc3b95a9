"""Beat times: breathing sinus, fibrillation, premature beats with a full compensatory pause."""

import numpy as np
import pytest

from ecgprior.simulator import rhythm
from ecgprior.simulator.draws import Draws

B = 200


def draw(af=False, pvc=False, seconds=10.0, rr_s=0.9, age=50.0):
    visit = Draws(4, 1, range(B), rhythm.VISIT, 2 * rhythm.n_beats(seconds))
    flag = lambda on: np.full(B, on)  # noqa: E731
    return rhythm.draw_rhythm(np.full(B, rr_s), np.full(B, age), flag(af), flag(pvc), visit, seconds)


def rr_of(made, row):
    return np.diff(made.time[made.ecg == row])


def test_sinus_has_the_mean_asked_for_and_little_spread():
    made = draw()
    rr = [rr_of(made, row) for row in range(B)]
    assert np.median([x.mean() for x in rr]) == pytest.approx(0.9, rel=0.02)
    assert 0.01 < np.median([x.std() for x in rr]) < 0.08
    assert np.concatenate(rr).min() >= 0.34 - 1e-9


def test_the_young_vary_more():
    def spread(age):
        made = draw(age=age)
        return np.median([rr_of(made, row).std() for row in range(B)])

    assert spread(20.0) > 1.5 * spread(85.0)


def test_rr_follows_the_breath():
    made = draw(age=20.0)
    peak = []
    for row in range(B):
        time, rr = made.time[made.ecg == row][1:], rr_of(made, row)
        hz = np.arange(0.05, 0.5, 0.01)
        power = np.abs(np.exp(-2j * np.pi * hz[:, None] * time) @ (rr - rr.mean()))
        peak.append(abs(hz[np.argmax(power)] - made.breath_hz[row]))
    assert np.median(peak) < 0.06


def test_fibrillation_is_irregular_at_the_same_mean():
    made = draw(af=True)
    rr = [rr_of(made, row) for row in range(B)]
    every = np.concatenate(rr)
    assert every.mean() == pytest.approx(0.9, rel=0.05) and np.median([x.std() for x in rr]) > 0.1
    neighbours = np.corrcoef(np.concatenate([x[:-1] for x in rr]), np.concatenate([x[1:] for x in rr]))[0, 1]
    assert abs(neighbours) < 0.15


def test_every_record_has_a_premature_beat_well_inside():
    for seconds in (5.0, 10.0, 30.0):
        made = draw(pvc=True, seconds=seconds)
        for row in range(B):
            times = made.time[(made.ecg == row) & made.ectopic]
            assert ((times > 0.3) & (times < seconds - 0.8)).any()
        assert not (made.ectopic[1:] & made.ectopic[:-1] & (made.ecg[1:] == made.ecg[:-1])).any()


def test_the_beat_after_stays_where_it_would_have_been():
    plain, odd = draw(), draw(pvc=True)
    for row in range(B):
        usual, early = plain.time[plain.ecg == row], odd.time[odd.ecg == row][: (plain.ecg == row).sum()]
        which = odd.ectopic[odd.ecg == row][: len(usual)]
        np.testing.assert_array_equal(usual[~which], early[~which])
        assert (early[which] < usual[which] - 0.15).all()


def test_beats_come_in_order_and_cover_the_record():
    for af in (False, True):
        made = draw(af=af, pvc=True, rr_s=0.5)
        assert (np.diff(made.ecg) >= 0).all()
        for row in range(B):
            time = made.time[made.ecg == row]
            assert (np.diff(time) > 0.2).all() and time[0] < 0 and time[-1] > 10 - 1.5
