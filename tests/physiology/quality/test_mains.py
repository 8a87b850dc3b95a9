"""A loud hum: it makes no beats of its own, hides none from the measurements, and is never acceptable."""

import numpy as np
import pytest

from ecgprior.physiology.quality.assess import quality
from ecgprior.physiology.quality.findings import SEVERE
from ecgprior.record.record import LEADS, Record

T = np.arange(5000) / 500


@pytest.mark.parametrize("n_leads", [1, 12])
@pytest.mark.parametrize("size_mv", [0.1, 1.0, 5.0])
@pytest.mark.parametrize("hz", [50.0, 60.0])
def test_mains_alone_is_not_acceptable(hz, size_mv, n_leads):
    rng = np.random.default_rng(0)
    hum = size_mv * np.sin(2 * np.pi * hz * T + rng.uniform(0, 6, (n_leads, 1)))
    noisy = Record(signal=hum + 0.01 * rng.standard_normal((n_leads, 5000)), fs=500, leads=LEADS[:n_leads])
    judged = quality(noisy)
    assert judged.score < 0.05 and not judged.acceptable
    assert {"no beats", "mains"} <= {f.name for f in judged.findings}


@pytest.mark.parametrize("leads", [LEADS, ("II",)])
@pytest.mark.parametrize("size_mv", [3.0, 10.0])
def test_an_ecg_under_mains_is_not_acceptable_and_is_measured_all_the_same(clean, size_mv, leads):
    record = clean[0].pick(leads)
    under = quality(record.with_(signal=record.signal + size_mv * np.sin(2 * np.pi * 50 * T)))
    found = [f for f in under.findings if f.name == "mains"]
    assert not under.acceptable and under.score < 0.05 and [f.severity for f in found] == [SEVERE]
    alone = quality(record).measurements
    for name in ("range_mv.II", "agreement.II", "qrs_mv"):
        assert under.measurements[name] == pytest.approx(alone[name], rel=0.05)
    assert under.measurements["mains_mv.II"] == pytest.approx(size_mv, rel=0.03)


def test_a_hum_of_half_the_signal_is_no_reason_to_refuse_it(clean):
    for record in clean[:4]:
        size = 0.2 * np.ptp(record.signal, axis=1, keepdims=True)
        judged = quality(record.with_(signal=record.signal + size * np.sin(2 * np.pi * 50 * T)))
        assert judged.acceptable and not [f for f in judged.findings if f.name == "mains"]
