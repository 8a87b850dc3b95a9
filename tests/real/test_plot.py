"""ECG paper on real recordings of every odd kind: nothing is clipped unsaid, every recorded lead is drawn."""

import re

import numpy as np
import pytest

from ecgprior.app.plots.paper import plot_ecg
from ecgprior.record.read import read

FILES = [
    ("ptb-xl", "*/*/*_hr.hea"),  # 10 s at 500 Hz, twelve leads; 00421 exceeds 11 mV
    ("wfdb-python-sample", "**/s0010_re.hea"),  # fifteen leads
    ("wfdb-python-sample", "**/100.hea"),  # two leads, half an hour
    ("cpsc2021-sample", "*.hea"),  # two leads, minutes, large baselines
    ("chagas2025-code15", "*.hea"),  # 7.3 s
    ("cinc2011", "**/*.hea"),  # saturated and constant leads
    ("cinc2021-sample", "*.hea"),  # flat leads, 6–60 s
]


@pytest.mark.parametrize(("folder", "pattern"), FILES, ids=[f"{a}-{b.strip('*/.')}" for a, b in FILES])
def test_every_recorded_lead_is_drawn(real_data, folder, pattern):
    paths = sorted((real_data / folder).glob(pattern))
    assert paths, f"nothing matches {pattern} in {folder}"
    for path in paths[:: max(1, len(paths) // 5)]:
        record = read(path)
        drawing = plot_ecg(record)
        shown = record.signal[:, : round(10 * record.fs)]
        drawn = set(re.findall(r'data-lead="([^"]+)"', drawing))
        there = {lead for lead, row in zip(record.leads, shown) if np.isfinite(row).any()}
        assert drawn == there, path.name
        height = float(re.search(r'class="ecg-paper" width="[\d.]+" height="([\d.]+)"', drawing).group(1))
        tops = [float(y) for y in re.findall(r'class="ecg-lead" x="[\d.]+" y="([-\d.]+)"', drawing)]
        assert min(tops) > 0 and max(tops) < height
