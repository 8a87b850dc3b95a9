"""Features and beat kinds on real recordings, by the publishers' own marks."""

import numpy as np
import pytest

from ecgprior.physiology.ectopy import beat_kinds
from ecgprior.record.read import read


def test_mit_bih_100_has_one_ventricular_beat(real_data):
    stems = sorted(real_data.glob("wfdb-python-sample/**/100.hea"))
    if not stems:
        pytest.skip(f"no MIT-BIH record 100 in {real_data}")
    record = read(stems[0].with_suffix(""), annotations="atr")
    marks = record.annotations
    beats = np.array([symbol in "NAV" for symbol in marks.symbol])
    r, symbol = marks.sample[beats].astype(float), np.array(marks.symbol)[beats]
    found = np.array(beat_kinds(record.signal, record.fs, r))
    assert (symbol == "V").sum() == 1 and found[symbol == "V"][0] == "V"
    assert (found[symbol != "V"] == "V").sum() <= 1
