import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from ecgprior.encoders._build import build_encoder
from ecgprior.objectives.simclr import SimCLR
from ecgprior.objectives.supervised import Supervised
from ecgprior.record.preprocess import Preprocessing
from ecgprior.record.record import LEADS
from ecgprior.training.processes import Processes
from ecgprior.training.validate import macro_auroc, validation_score
from ecgprior.training.windows import Windows, WindowStore

ALONE = Processes(0, 1, torch.device("cpu"))


def test_macro_auroc_leaves_out_what_cannot_be_scored():
    rng = np.random.default_rng(0)
    scores, targets = rng.normal(size=(30, 4)), rng.integers(0, 2, (30, 4)).astype(float)
    targets[:, 1] = 1
    targets[:, 2] = np.nan
    targets[:5, 3] = np.nan
    expected = [roc_auc_score(targets[:, 0], scores[:, 0]), roc_auc_score(targets[5:, 3], scores[5:, 3])]
    assert macro_auroc(scores, targets) == pytest.approx(np.mean(expected))
    assert np.isnan(macro_auroc(scores[:, 1:2], targets[:, 1:2]))


@pytest.fixture(scope="module")
def windows(corpus, labels):
    store = WindowStore(corpus, Preprocessing(fs=100), range(len(corpus)))
    return Windows(store, np.arange(len(store)), 200, labels=labels[1])


def test_the_mode_is_put_back_and_the_score_repeats(windows):
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, LEADS, 100.0, seed=0)
    objective = Supervised(encoder, Supervised.Config(), ("a", "b")).train()
    first = validation_score(objective, windows, ALONE, torch.float32, 8)
    second = validation_score(objective, windows, ALONE, torch.float32, 5)
    assert objective.training
    assert first["score"] == first["auroc"] == pytest.approx(second["auroc"], abs=1e-6)


def test_one_class_falls_back_on_the_loss(windows):
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, LEADS, 100.0, seed=0)
    objective = Supervised(encoder, Supervised.Config(), ("a", "b")).train()
    few = Windows(windows.store, np.array([0, 4]), 200, labels=windows.labels)
    found = validation_score(objective, few, ALONE, torch.float32, 8)
    assert found["score"] == -found["loss"]


def test_without_a_head_it_is_the_loss(windows):
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, LEADS, 100.0, seed=0)
    found = validation_score(SimCLR(encoder, SimCLR.Config()), windows, ALONE, torch.float32, 8)
    assert found["score"] == -found["loss"] < 0
