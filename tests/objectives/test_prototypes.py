"""Prototypes: spherical k-means, the moving average, and the pull, against NumPy."""

import numpy as np
import torch

from ecgprior.objectives._prototypes import Prototypes, kmeans


def unit(x):
    return x / np.linalg.norm(x, axis=-1, keepdims=True)


def test_kmeans_finds_directions_and_an_empty_one_stays():
    rng = np.random.default_rng(0)
    rows = unit(np.repeat(np.eye(3)[:2], 20, 0) + 0.05 * rng.normal(size=(40, 3)))
    begin = unit(np.array([[1, 0.5, 0], [0.5, 1, 0], [0, 0, -1.0]]))
    found = kmeans(torch.tensor(rows), torch.tensor(begin)).numpy()
    np.testing.assert_allclose(found[:2], unit(np.stack([rows[:20].mean(0), rows[20:].mean(0)])), atol=1e-12)
    np.testing.assert_array_equal(found[2], begin[2])


def test_the_bank_keeps_the_latest():
    prototypes = Prototypes(2, 2, 5, 0.5).double()
    for angle in range(8):
        prototypes.remember(3 * torch.tensor([[np.cos(angle), np.sin(angle)]], dtype=torch.float64))
    found = torch.atan2(prototypes.bank[:, 1], prototypes.bank[:, 0]).remainder(2 * np.pi)
    expected = torch.tensor(np.sort(np.arange(3, 8) % (2 * np.pi)))
    torch.testing.assert_close(found.sort().values, expected)


def test_a_moving_average_from_the_second_time_on():
    prototypes = Prototypes(1, 2, 4, 0.5).double()
    east, north = torch.tensor([[1.0, 0]]).double(), torch.tensor([[0, 1.0]]).double()
    prototypes.remember(east.repeat(4, 1))
    prototypes.find()
    torch.testing.assert_close(prototypes.centre, east)
    prototypes.remember(north.repeat(4, 1))
    prototypes.find()
    torch.testing.assert_close(prototypes.centre, (east + north) / 2**0.5)


def test_the_pull_equals_the_naive_loop(equals_naive):
    rng = np.random.default_rng(3)
    centre = unit(rng.normal(size=(3, 4)))
    prototypes = Prototypes(3, 4, 8, 0.5).double()
    first, second = rng.normal(size=(2, 5, 4))
    assert prototypes.loss(torch.tensor(first), torch.tensor(second), 0.07) == 0
    prototypes.centre.copy_(torch.tensor(centre))
    prototypes.known.fill_(True)

    def naive(first, second):
        losses = []
        for a, b in zip(unit(first), unit(second)):
            target = int(np.argmax(centre @ (a + b)))
            for z in (a, b):
                score = np.exp(centre @ z / 0.07)
                losses.append(-np.log(score[target] / score.sum()))
        return np.mean(losses)

    equals_naive(lambda a, b: prototypes.loss(a, b, 0.07), naive, first, second)
