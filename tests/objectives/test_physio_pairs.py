"""Which windows are alike: masks against a double loop, similarity against the engine's own in NumPy."""

import math

import numpy as np
import pytest
import torch

from ecgprior.errors import ColumnMissing, CorpusError
from ecgprior.objectives._feature_space import choose
from ecgprior.objectives._physio_pairs import Pairs, PairSettings, related

NAMES = ("rr_ms", "pr_ms", "qrs_ms", "beat_qtc_ms", "t_amplitude_mv.V3", "r_amplitude_mv", "qrs_axis_deg")


def training_part(n=60, seed=0):
    rng = np.random.default_rng(seed)
    values = rng.normal(size=(n, len(NAMES))).astype(np.float32) * [100, 20, 10, 30, 0.2, 0.5, 40]
    values += np.array([800, 160, 90, 420, 0.3, 1, 175])
    values[rng.uniform(size=values.shape) < 0.15] = np.nan
    return torch.tensor(values, dtype=torch.float32)


def fitted(**settings):
    pairs = Pairs(PairSettings.check(settings))
    rows = training_part()
    pairs.fit({"features": rows}, {"features": NAMES, "rows": tuple(map(str, range(len(rows))))})
    return pairs


def naive(similarity, mine, patient, everyone, delta, nearest, softness):
    """Relations one pair at a time, as lists of (similar, dissimilar, weight)."""
    found = []
    for i, row in enumerate(similarity):
        known = [j for j in range(len(row)) if j != mine[i] and not math.isnan(row[j])]
        best = sorted(known, key=lambda j: -row[j])[:nearest] if nearest else []
        line = []
        for j in range(len(row)):
            near = j in best if nearest else j in known and row[j] > delta
            far = j in known and not near and patient[i] != everyone[j]
            soft = (
                float(near)
                if nearest
                else 1 / (1 + math.exp(-(row[j] - delta) / softness))
                if j in known
                else 0.0
            )
            line.append((near, far, soft if near or far else 0.0))
        found.append(line)
    return found


@pytest.mark.parametrize(("nearest", "delta"), [(0, 0.1), (0, 0.9), (3, 0.0), (50, 0.0)])
def test_relations_equal_the_naive_loop(nearest, delta):
    rng = np.random.default_rng(nearest)
    values = rng.uniform(-1, 1, (4, 9))
    values[rng.uniform(size=values.shape) < 0.2] = np.nan
    mine, everyone = np.array([3, 4, 5, 6]), np.array([0, 1, 1, 2, 2, 3, 3, 3, 4])
    patients = torch.tensor(everyone[mine]), torch.tensor(everyone)
    found = related(
        torch.tensor(values), torch.tensor(mine), patients, delta=delta, nearest=nearest, softness=0.05
    )
    expected = naive(values, mine, everyone[mine], everyone, delta, nearest, 0.05)
    assert found.similar.tolist() == [[pair[0] for pair in row] for row in expected]
    assert found.dissimilar.tolist() == [[pair[1] for pair in row] for row in expected]
    np.testing.assert_allclose(
        found.weight.numpy(), [[pair[2] for pair in row] for row in expected], rtol=1e-12
    )
    assert found.itself.nonzero().tolist() == [[i, j] for i, j in enumerate(mine)]
    assert not (found.similar & found.itself).any() and not (found.dissimilar & ~found.stranger).any()


@pytest.mark.parametrize("kind", ["plain", "block"])
def test_similarity_on_the_device_is_the_engines_own(kind):
    features = {"features": NAMES} if kind == "block" else {"features": ("all",)}
    pairs = fitted(similarity=kind, **features)
    rows = training_part(20, seed=3)
    rows[0], rows[1, 1:], rows[2, 0] = torch.nan, torch.nan, 1e9
    there = pairs.space.coordinates(rows)
    space = pairs.space.space
    here = space.coordinates(rows.numpy())
    np.testing.assert_allclose(there[0].numpy(), here.values, atol=1e-5)
    np.testing.assert_array_equal(there[1].numpy(), here.measurable)
    expected = space.similarity(here, here)
    assert np.isnan(expected[0]).all()
    np.testing.assert_allclose(pairs.space.similarity(there, there).numpy(), expected, atol=2e-5)


def test_a_row_without_measurements_has_no_relation_and_no_gradient_passes():
    pairs = fitted()
    rows = training_part(12, seed=1)
    rows[4] = torch.nan
    rows.requires_grad_()
    found = pairs(rows, torch.arange(12))
    assert not (found.similar[4] | found.dissimilar[4] | found.similar[:, 4] | found.dissimilar[:, 4]).any()
    assert not found.weight.requires_grad


def test_delta_gives_the_share_of_positives_that_was_asked_for():
    pairs = fitted(positives=0.1)
    found = pairs(training_part(), torch.arange(60))
    known = found.similar.sum() + found.dissimilar.sum()
    assert found.similar.sum() / known == pytest.approx(0.1, abs=0.01)
    assert fitted(similarity="plain", features=["all"], threshold=0.25).delta == 0.25


def test_the_space_is_saved_and_comes_back():
    one, other = fitted(), Pairs(PairSettings.check({}))
    other.load_state_dict(one.state_dict())
    assert other.learnt() == one.learnt() and other.learnt()["similarity"] == "block"
    rows = training_part(9, seed=5)
    for a, b in zip(one(rows, torch.arange(9)), other(rows, torch.arange(9))):
        assert torch.equal(a, b)
    empty = Pairs(PairSettings.check({}))
    empty.load_state_dict(Pairs(PairSettings.check({})).state_dict())
    assert empty.learnt() == {}


def test_recordings_that_are_all_alike_are_refused():
    same = torch.tensor([[800.0, 160], [800.0, 168]]).repeat(10, 1)
    names = {"features": NAMES[:2], "rows": tuple(map(str, range(20)))}
    with pytest.raises(
        CorpusError, match="some are physiologically alike and some are not.* 20 rows"
    ) as told:
        Pairs(PairSettings.check({"threshold": -1.0})).fit({"features": same}, names)
    assert "prepare more recordings, or leave out objective.pairs.threshold" in str(told.value)
    with pytest.raises(ColumnMissing, match="at least one that varies"):
        Pairs(PairSettings.check({})).fit({"features": torch.ones(20, 2)}, names)


@pytest.mark.parametrize("settings", [{}, {"nearest": 3}])
def test_recordings_that_differ_by_noise_alone_are_refused(settings):
    noise = torch.tensor(np.random.default_rng(0).normal(size=(60, len(NAMES))), dtype=torch.float32)
    rows = training_part()[:1].nan_to_num(1.0) + noise * torch.tensor(
        [0.3, 0.3, 0.3, 0.3, 0.002, 0.002, 0.3]
    )
    names = {"features": NAMES, "rows": tuple(map(str, range(60)))}
    with pytest.raises(CorpusError, match="60 rows.*100% vary less than repeated measurements"):
        Pairs(PairSettings.check(settings)).fit({"features": rows}, names)


def test_two_recordings_are_too_few_and_nobody_is_told_to_drop_a_threshold_that_is_not_set():
    """Two rows are one pair: whatever share is asked for, δ is its similarity, and nothing is above it."""
    two = torch.tensor([[800.0, 160], [900.0, 180]])
    names = {"features": NAMES[:2], "rows": ("a", "b")}
    with pytest.raises(CorpusError, match="between 2 rows of features.*prepare more recordings") as told:
        Pairs(PairSettings.check({"positives": 0.5})).fit({"features": two}, names)
    assert "threshold" not in str(told.value) and "share of positives" not in str(told.value)


def test_features_are_chosen_by_word_block_and_name():
    assert choose(NAMES, ["physioclr"]) == tuple(name for name in NAMES if name != "qrs_axis_deg")
    assert choose(NAMES, ["st_t_qt", "rr_ms"]) == ("rr_ms", "beat_qtc_ms", "t_amplitude_mv.V3")
    assert choose((*NAMES, "noise_mv.I"), ["physiology"]) == NAMES
    with pytest.raises(
        ColumnMissing, match="'qrs_m' is neither a block nor a feature. Did you mean 'qrs_ms'"
    ):
        choose(NAMES, ["qrs_m"])
    with pytest.raises(ColumnMissing, match="expected some of quality, got rr_ms"):
        choose(NAMES, ["quality"])
    with pytest.raises(ColumnMissing, match="expected their names"):
        Pairs(PairSettings.check({})).fit({"features": training_part()}, {})


SPECTRUM = tuple(f"range{i}_band{j}_db.{lead}" for lead in ("I", "V3") for i in (1, 2) for j in (1, 2))


def test_of_another_descriptor_both_words_mean_all_and_a_name_says_its_block():
    assert choose(SPECTRUM, ["physiology"]) == choose(SPECTRUM, ["physioclr"]) == SPECTRUM
    assert choose(SPECTRUM, ["range2"]) == tuple(name for name in SPECTRUM if name.startswith("range2"))
    assert choose(("rr_ms", *SPECTRUM), ["physiology"]) == ("rr_ms",)
    with pytest.raises(ColumnMissing, match=r"expected some of rhythm, got range1.*another descriptor"):
        choose(SPECTRUM, ["rhythm"])
    values = torch.randn(40, len(SPECTRUM), generator=torch.Generator().manual_seed(0))
    pairs = Pairs(PairSettings.check({"positives": 0.2}))
    pairs.fit({"features": values}, {"features": SPECTRUM, "rows": tuple(map(str, range(40)))})
    assert pairs.space.space.kind == "block" and len(pairs.space.space.parts) == 2
    relations = pairs(values, torch.arange(40))
    assert relations.similar.double().mean() == pytest.approx(0.2 * 39 / 40, abs=0.02)
    assert not (relations.similar & relations.dissimilar).any()
