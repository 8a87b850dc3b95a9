"""Random rows: keyed by seed, stream and number, and nothing else."""

import numpy as np

from ecgprior.simulator.draws import Draws


def test_rows_are_keyed_by_number():
    a, b = Draws(5, 1, [3, 9], ["x", "y"], 4), Draws(5, 1, [9], ["x", "y"], 4)
    assert a.uniform("y")[1] == b.uniform("y")[0]
    np.testing.assert_array_equal(a.normal[1], b.normal[0])


def test_streams_seeds_and_neighbours_differ():
    first = [Draws(seed, stream, [k], ["x"]).uniform("x")[0] for seed in (0, 1) for stream in (0, 1, 2, 3) for k in (0, 1)]
    assert len(set(first)) == len(first)


def test_a_name_appended_changes_no_other():
    a, b = Draws(1, 0, range(5), ["x"]), Draws(1, 0, range(5), ["x", "new"])
    np.testing.assert_array_equal(a.uniform("x"), b.uniform("x"))


def test_distributions():
    draws = Draws(0, 0, range(4000), ["x"])
    assert 2 <= draws.uniform("x", 2, 3).min() and draws.uniform("x", 2, 3).max() <= 3
    assert abs(draws.gauss("x", 5, 2).mean() - 5) < 0.1 and abs(draws.gauss("x", 5, 2).std() - 2) < 0.1
    assert abs(np.median(draws.lognormal("x", 0.5, 1.0)) - 0.5) < 0.05
