"""Normal hearts: Dower's field in the mean, limits that are kept, age and sex that matter."""

import numpy as np

from ecgprior.simulator import causes, hearts
from ecgprior.simulator.draws import Draws

B = 600


def draw(n=B, seed=2):
    return hearts.draw_hearts(Draws(seed, 0, range(n), hearts.PATIENT + causes.PATIENT, hearts.n_normal()))


def test_a_row_does_not_depend_on_its_batch():
    many, few = draw(50), draw(3)
    for name in ("qrs", "t", "p", "lead_field", "rr_s", "t_at", "qrs_at"):
        np.testing.assert_array_equal(getattr(many, name)[:3], getattr(few, name))


def test_lead_fields_spread_around_dowers():
    field = draw().lead_field
    assert np.abs(field.mean(0) - hearts.DOWER).max() < 0.45
    assert np.corrcoef(field.mean(0).ravel(), hearts.DOWER.ravel())[0, 1] > 0.95
    assert (field.std(0) > 0.05).all()


def test_limits_hold():
    made = draw()
    qtc = made.qt_s() / np.cbrt(made.rr_s)
    assert 0.349 < qtc.min() and qtc.max() < 0.456
    assert 0.6 < made.rr_s.min() and made.rr_s.max() < 1.3
    assert made.age.min() >= 18 and made.age.max() <= 90 and 0.4 < made.female.mean() < 0.6
    assert np.abs(hearts.qrs_leads(made)).max() < 3.5


def test_qt_can_be_set_for_some():
    made = draw(10)
    before, some = made.qt_s(), np.arange(10) < 4
    made.set_qt(np.full(10, 0.5), some)
    np.testing.assert_allclose(made.qt_s()[:4], 0.5)
    np.testing.assert_array_equal(made.qt_s()[4:], before[4:])


def test_qt_follows_the_rate():
    made = draw()
    slope = np.polyfit(np.log(made.rr_s), np.log(made.qt_s()), 1)[0]
    assert 0.15 < slope < 0.5


def test_men_have_more_voltage():
    made = draw()
    size = np.linalg.norm(made.qrs, axis=(1, 2))
    assert np.median(size[~made.female]) > np.median(size[made.female])
