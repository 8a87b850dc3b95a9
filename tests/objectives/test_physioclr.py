"""PhysioCLR whole: its contrast against a naive loop over windows and views, its switches, and two processes."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest
import torch

from ecgprior.batch import Batch, BatchRandom
from ecgprior.encoders._build import build_encoder
from ecgprior.errors import RecipeError, ShapeError
from ecgprior.objectives._physio_pairs import related
from ecgprior.objectives.physioclr import PhysioCLR, effective_rank

NAMES = ("rr_ms", "pr_ms", "qrs_ms", "beat_qtc_ms", "r_amplitude_mv")
PLAIN = {"shuffle": [], "lead_mask": 0.0, "projection": 4}


def made(encoder="transformer", **settings):
    torch.manual_seed(0)
    built = build_encoder(encoder, {"dropout": 0.0} if encoder == "transformer" else {}, ("I", "II"), 100.0)
    objective = PhysioCLR(built, PhysioCLR.Config.check({**PLAIN, **settings}))
    rows = torch.randn(40, 5, generator=torch.Generator().manual_seed(9))
    objective.before_training({"features": rows}, {"features": NAMES, "rows": tuple(map(str, range(40)))})
    return objective


def window(n, time, generator, after=None):
    fiducials = torch.tensor([[30.0, 34, 38], [44, 50, 56], [70, 80, 88]]) + torch.zeros(n, 1, 3, 3)
    return Batch(
        signal=torch.randn(n, 2, time, generator=generator),
        lead_mask=torch.ones(n, 2, dtype=torch.bool),
        valid=torch.ones(n, time, dtype=torch.bool),
        row=torch.arange(n),
        start=torch.zeros(n, dtype=torch.int64),
        patient=torch.arange(n) // 2,
        next=after,
        columns={"features": torch.randn(n, 5, generator=generator), "fiducials": fiducials},
        fs=100.0,
    )


def batch_of(n=6, time=200):
    generator = torch.Generator().manual_seed(1)
    return window(n, time, generator, after=window(n, time, generator))


def loss_of(objective, batch, step=0):
    return objective(batch, BatchRandom.for_batch(0, step, batch))


def relations_of(n=6):
    rng = np.random.default_rng(2)
    similarity = rng.uniform(size=(n, n))
    similarity = (similarity + similarity.T) / 2
    similarity[3, 5] = similarity[5, 3] = np.nan
    similarity[4] = similarity[:, 4] = 1.0
    patient = torch.arange(n) // 2
    return related(torch.tensor(similarity), torch.arange(n), (patient, patient), delta=0.6)


def naive(views, relations, config):
    """Mean over anchors and kinds of anchor of the loss, one window and one view of it at a time."""
    unit = lambda x: x / math.sqrt(sum(a * a for a in x))  # noqa: E731
    similar, dissimilar, weight, _, stranger = (part.tolist() for part in relations)
    means = []
    for name in views if config.symmetric else ["anchor"]:
        losses = []
        for i, anchor in enumerate(views[name]):
            own, near, far, soft = [], [], [], []
            for other, candidates in views.items():
                for j, candidate in enumerate(candidates):
                    a, b = anchor, candidate
                    if config.split_projection and "own" in (name, other):
                        a, b = a[: len(a) // 2], b[: len(b) // 2]
                    s = float(unit(a) @ unit(b)) / config.temperature
                    if i == j:
                        if other != name:
                            own.append(s)
                            soft.append((1.0, s))
                        continue
                    if other != "anchor" and not config.views_of_others:
                        continue
                    negative = stranger[i][j] if config.similar == "negative" else dissimilar[i][j]
                    positive = similar[i][j] and config.similar == "positive"
                    near += [s] if positive else []
                    far += [s] if negative else []
                    soft += [(weight[i][j], s)] if positive or negative else []
            if not far or not own + near:
                continue
            total = lambda x: math.log(sum(map(math.exp, x)))  # noqa: E731
            every = total(own + near + far)
            if config.loss == "paper":
                losses.append(total(far) - total(own + near))
            elif config.loss == "bounded":
                losses.append(every - total(own + near))
            elif config.loss == "mean_of_logs":
                losses.append(every - np.mean(own + near))
            elif config.loss == "soft":
                losses.append(every - sum(w * s for w, s in soft) / sum(w for w, _ in soft))
            else:
                loss = np.mean([total([s, *far]) - s for s in own]) if own else 0.0
                losses.append(loss + (0.5 * (total(near + far) - np.mean(near)) if near else 0.0))
        means.append(np.mean(losses))
    return np.mean(means)


SWITCHES = (
    {},
    {"symmetric": True},
    {"views_of_others": True},
    {"symmetric": True, "views_of_others": True, "split_projection": True},
    {"similar": "ignore"},
    {"similar": "negative"},
)


@pytest.mark.parametrize(
    ("form", "switches"),
    [
        pytest.param(form, switches, id="+".join((form, *switches)))
        for form in ("paper", "bounded", "mean_of_logs", "own_plus_neighbours", "soft")
        for switches in SWITCHES
        if (form, switches) != ("soft", {"similar": "negative"})
    ],
)
def test_contrast_and_gradient_equal_the_naive_loop(form, switches):
    objective, relations = made(loss=form, **switches), relations_of()
    rng = np.random.default_rng(4)
    values = {name: rng.normal(size=(6, 4)) for name in ("anchor", "own", "adjacent")}
    views = {name: torch.tensor(value, requires_grad=True) for name, value in values.items()}
    loss, terms = objective._compare(views, relations)
    loss.backward()
    assert loss.item() == pytest.approx(naive(values, relations, objective.config), rel=1e-10)
    assert terms["contrast"] == loss.detach()
    for name in values:
        for index in ((0, 0), (3, 2), (5, 1)):
            sides = []
            for step in (1e-6, -1e-6):
                moved = {key: value.copy() for key, value in values.items()}
                moved[name][index] += step
                sides.append(naive(moved, relations, objective.config))
            assert views[name].grad[index].item() == pytest.approx((sides[0] - sides[1]) / 2e-6, abs=2e-7)


def test_rows_without_a_negative_take_no_part_and_are_counted():
    relations = relations_of()
    assert not relations.dissimilar[4].any()
    views = {name: torch.randn(6, 4, dtype=torch.float64) for name in ("anchor", "own", "adjacent")}
    _, terms = made()._compare(views, relations)
    assert terms["skipped"].item() == pytest.approx(1 / 6)
    assert terms["positives"].item() == pytest.approx(2 + relations.similar.sum().item() / 6)


def test_every_component_has_its_switch_and_its_terms():
    batch, seen = batch_of(), {}
    everything = {"regression_weight": 0.5}
    for name, settings, passes in (
        ("all", everything, 3),
        ("no own view", {"own_view": False}, 2),
        ("no adjacent", {"adjacent": False}, 2),
        ("no decoder", {"global_weight": 0, "peak_weight": 0}, 3),
        ("decoder alone", {"contrast_weight": 0}, 1),
    ):
        objective = made(**settings)
        assert objective.passes == passes
        loss = loss_of(objective, batch)
        loss.total.backward()
        assert all(p.grad is not None for p in objective.parameters()), name
        seen[name] = {key: float(value) for key, value in loss.terms.items()}
        seen[name]["total"] = loss.total.item()
    every = seen["all"]
    parts = every["contrast"] + 0.2 * every["global"] + 0.1 * every["peak"] + 0.5 * every["regression"]
    assert every["total"] == pytest.approx(parts, rel=1e-5)
    assert {"rank", "positives", "skipped", "floor", "r2"} <= set(every)
    assert "global" not in seen["no decoder"] and "contrast" not in seen["decoder alone"]
    assert seen["no own view"]["positives"] == pytest.approx(every["positives"] - 1)


def test_the_target_is_the_window_as_it_is_and_the_decoder_reads_masked_leads(monkeypatch):
    objective, batch, seen = made(lead_mask=0.9, adjacent=False, own_view=False), batch_of(), []
    forward = objective.encoder.forward
    monkeypatch.setattr(
        objective.encoder, "forward", lambda s, m, v: (seen.append((s, m)), forward(s, m, v))[1]
    )
    monkeypatch.setattr(objective.decoder, "forward", lambda tokens, samples: batch.signal)
    loss = loss_of(objective, batch)
    assert loss.terms["global"] == 0 and loss.terms["peak"] == 0
    (signal, lead_mask), *others = seen
    assert not others and (lead_mask.sum(1) == 1).any() and lead_mask.any(1).all()
    assert (signal[~lead_mask] == 0).all()


def test_the_second_view_is_shuffled_and_the_anchor_is_not(monkeypatch):
    objective, batch = made(shuffle=[{"name": "polarity"}], adjacent=False), batch_of()
    seen = []
    forward = objective.encoder.forward
    monkeypatch.setattr(objective.encoder, "forward", lambda s, m, v: (seen.append(s), forward(s, m, v))[1])
    loss_of(objective, batch)
    assert torch.equal(seen[0], batch.signal) and not torch.equal(seen[1], batch.signal)


def test_views_are_cut_each_at_its_own_place_and_fiducials_go_along(monkeypatch):
    objective, seen = made(view_seconds=1.0), []
    forward = objective.encoder.forward
    monkeypatch.setattr(objective.encoder, "forward", lambda s, m, v: (seen.append(s), forward(s, m, v))[1])
    batch = batch_of()
    cut = objective._cut(batch, BatchRandom.for_batch(0, 0, batch))
    moved = batch.columns["fiducials"][:, 0, 1, 1] - cut.start
    inside = (moved >= 0) & (moved <= 99)
    torch.testing.assert_close(cut.columns["fiducials"][:, 0, 1, 1][inside], moved[inside])
    assert cut.columns["fiducials"][:, 0, 1, 1][~inside].isnan().all()
    loss_of(objective, batch)
    assert [s.shape[2] for s in seen] == [100] * 3
    whole, seen[:] = made(view_seconds=1.0, whole_anchor=True), []
    monkeypatch.setattr(whole.encoder, "forward", lambda s, m, v: (seen.append(s), forward(s, m, v))[1])
    loss_of(whole, batch)
    assert [s.shape[2] for s in seen] == [200, 100, 100]


def test_what_cannot_be_is_refused():
    for settings, words in (
        ({"anchor_augmentations": [{"name": "crop_resize"}]}, "changes time"),
        ({"own_view": False, "adjacent": False, "similar": "ignore"}, "one kind of positive"),
        ({"contrast_weight": 0, "global_weight": 0, "peak_weight": 0}, "at least one weight"),
        ({"pairs": {"delta": 0.25}}, "delta"),
        ({"similar": "negative", "loss": "soft"}, "plays no part"),
    ):
        with pytest.raises(RecipeError, match=words):
            PhysioCLR.Config.check(settings)
    with pytest.raises(ShapeError, match="at least 4 in a batch, got 3"):
        loss_of(made(), batch_of(n=3))
    assert torch.isfinite(loss_of(made().eval(), batch_of(n=3)).total)
    with pytest.raises(ShapeError, match="next window"):
        loss_of(made(), batch_of().with_(next=None))


def test_what_was_learnt_is_said_for_the_checkpoint():
    said = made(regression_weight=1.0).learnt()
    assert {"similarity", "digest", "training", "delta", "n_targets"} <= set(said)
    assert said["training"]["n_rows"] == 40 and len(said["digest"]) == 64


def test_effective_rank_counts_directions():
    eye = torch.cat([torch.eye(3), -torch.eye(3)])
    assert effective_rank(eye).item() == pytest.approx(3, rel=1e-4)
    line = torch.linspace(-1, 1, 7)[:, None] * torch.ones(5)
    assert effective_rank(line).item() == pytest.approx(1, abs=1e-2)
    assert torch.isfinite(effective_rank(torch.zeros(4, 3)))
    x = np.random.default_rng(0).normal(size=(9, 4))
    singular = np.linalg.svd(x - x.mean(0), compute_uv=False)
    share = singular / singular.sum()
    assert effective_rank(torch.tensor(x)).item() == pytest.approx(
        np.exp(-(share * np.log(share)).sum()), rel=1e-9
    )


SCRIPT = """
import sys, torch, torch.distributed as dist
sys.path.insert(0, sys.argv[3])
from test_physioclr import made, spread
dist.init_process_group("gloo")
rank = dist.get_rank()
found = spread(made(symmetric=True, regression_weight=1.0), torch.load(sys.argv[1]), slice(rank * 4, rank * 4 + 4), 2)
if rank == 0:
    torch.save(found, sys.argv[2])
dist.destroy_process_group()
"""


def spread(objective, given, own, count):
    """Losses of some of the rows, and their gradient over all: the mean over processes equals one process' whole."""
    from ecgprior.objectives._decoder import squared_errors
    from ecgprior.objectives._distributed import gather, total

    objective = objective.double()
    leaves = {
        key: given[key][own].clone().requires_grad_()
        for key in ("anchor", "own", "adjacent", "made", "pooled")
    }
    relations = objective.pairs(given["features"][own], given["patient"][own])
    views = {key: leaves[key] for key in ("anchor", "own", "adjacent")}
    masks = [given[key][own] for key in ("lead_mask", "valid", "near")]
    losses = [
        objective._compare(views, relations)[0],
        *squared_errors(leaves["made"], given["signal"][own], *masks),
        objective.targets(leaves["pooled"], given["features"][own])[0],
    ]
    (sum(losses) / count).backward()
    return [total(loss.detach()) / count for loss in losses] + [gather(leaf.grad) for leaf in leaves.values()]


@pytest.mark.slow
def test_two_processes_have_the_losses_and_gradients_of_one(tmp_path):
    generator = torch.Generator().manual_seed(0)
    draw = lambda *shape: torch.randn(8, *shape, generator=generator, dtype=torch.float64)  # noqa: E731
    objective = made(symmetric=True, regression_weight=1.0)
    given = {key: draw(4) for key in ("anchor", "own", "adjacent")}
    given |= {key: draw(2, 30) for key in ("made", "signal")}
    given |= {"features": draw(5), "pooled": draw(objective.encoder.dim), "patient": torch.arange(8) // 2}
    given |= {"lead_mask": draw(2) > -1, "valid": draw(30) > -2, "near": draw(30) > 1}
    given["features"][1, 2] = torch.nan
    torch.save(given, tmp_path / "in.pt")
    (tmp_path / "script.py").write_text(SCRIPT)
    torchrun = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node", "2"]
    paths = [
        str(tmp_path / "script.py"),
        str(tmp_path / "in.pt"),
        str(tmp_path / "out.pt"),
        os.path.dirname(__file__),
    ]
    threads = {**os.environ, "OMP_NUM_THREADS": "1"}
    subprocess.run([*torchrun, *paths], check=True, capture_output=True, timeout=480, env=threads)
    alone = spread(objective, given, slice(0, 8), 1)
    for one, two in zip(alone, torch.load(tmp_path / "out.pt")):
        torch.testing.assert_close(two, one, rtol=1e-10, atol=1e-12)


def test_without_the_adjacent_view_no_second_window_is_asked_for():
    asks = lambda **settings: PhysioCLR.asks(PhysioCLR.Config.check({**PLAIN, **settings}))  # noqa: E731
    assert asks() == PhysioCLR.needs and "next" in PhysioCLR.needs
    assert asks(adjacent=False) == PhysioCLR.needs - {"next"}
    assert asks(contrast_weight=0.0, global_weight=1.0) == PhysioCLR.needs - {"next"}
    alone = window(6, 200, torch.Generator().manual_seed(1))
    assert torch.isfinite(loss_of(made(adjacent=False), alone).total)
