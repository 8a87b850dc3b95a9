"""Shuffled beats: what is kept, what moves, and which rhythms keep their order."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgprior.augmentations._beats import beats_of, cuts
from ecgprior.augmentations._rhythm import order_of
from ecgprior.augmentations.shuffle_beats import ShuffleBeats
from ecgprior.batch import Batch, BatchRandom
from ecgprior.errors import RecipeError, ShapeError

FS = 250.0


def bump(n, centre, half, height):
    x = ((torch.arange(n, dtype=torch.float64) - centre) / half).clamp(-1, 1)
    return height * 0.5 * (1 + torch.cos(torch.pi * x))


def heart(rr_s, *, first_s=0.5, pr_s=0.16, p=True, wide=(), lone_p_s=(), seconds=None, noise=0.0, wander=0.0):
    """One window of 3 leads: beat k has an R of 1 + k / 100 mV, so that each can be told; times in s.

    `pr_s` from P onset to QRS onset, and `p`, may be given a beat.
    """
    r = [first_s]
    for step in rr_s:
        r.append(r[-1] + step)
    seconds = seconds if seconds is not None else r[-1] + 0.6
    n, n_beats = round(seconds * FS), len(r)
    r = torch.tensor([round(x * FS) for x in r], dtype=torch.float64)
    pr = pr_s if isinstance(pr_s, (list, tuple)) else [pr_s] * n_beats
    has_p = p if isinstance(p, (list, tuple)) else [p] * n_beats
    signal = torch.zeros(n, dtype=torch.float64)
    marks = torch.full((n_beats + len(lone_p_s), 3, 3), torch.nan, dtype=torch.float64)
    for k in range(n_beats):
        half = (0.07 if k in wide else 0.03) * FS
        spans = {1: (r[k], half, 1 + k / 100), 2: (r[k] + 0.24 * FS, 0.08 * FS, 0.3)}
        if has_p[k]:
            spans[0] = (r[k] - half - (pr[k] - 0.04) * FS, 0.04 * FS, 0.12)
        for wave, (centre, reach, height) in spans.items():
            signal += bump(n, centre, reach, height)
            marks[k, wave] = torch.tensor([centre - reach, centre, centre + reach])
    for k, at in enumerate(lone_p_s):
        signal += bump(n, at * FS, 0.04 * FS, 0.12)
        marks[n_beats + k, 0] = torch.tensor([at - 0.04, at, at + 0.04]) * FS
    marks[(marks < 0) | (marks > n - 1)] = torch.nan
    leads = torch.stack([signal, -0.5 * signal, 0.3 * signal])
    generator = torch.Generator().manual_seed(7)
    leads = leads + noise * torch.randn(leads.shape, generator=generator, dtype=torch.float64)
    leads = leads + wander * torch.sin(2 * torch.pi * 0.2 * torch.arange(n) / FS + torch.arange(3)[:, None])
    return leads.float(), marks.float()


def batch_of(*hearts, next_row=0):
    n, k = max(s.shape[1] for s, _ in hearts), max(len(m) for _, m in hearts)
    signal, marks = torch.zeros(len(hearts), 3, n), torch.full((len(hearts), k, 3, 3), torch.nan)
    valid = torch.zeros(len(hearts), n, dtype=torch.bool)
    for i, (s, m) in enumerate(hearts):
        signal[i, :, : s.shape[1]], marks[i, : len(m)], valid[i, : s.shape[1]] = s, m, True
    row = torch.arange(len(hearts)) + next_row
    lead_mask = torch.ones(len(hearts), 3, dtype=torch.bool)
    zero = torch.zeros_like(row)
    return Batch(signal, lead_mask, valid, row, zero, row, columns={"fiducials": marks}, fs=FS)


def shuffled(batch, step=0, **settings):
    return ShuffleBeats(**settings)(batch, BatchRandom.for_batch(0, step, batch))


def r_peaks(view, row=0):
    r = view.columns["fiducials"][row, :, 1, 1]
    return r[r.isfinite()].round().long()


def beats_in_order(view, row=0):
    """The number of each beat, read from the height of its R."""
    return ((view.signal[row, 0, r_peaks(view, row)] - 1) * 100).round().long().tolist()


def orders(batch, n=12, **settings):
    return [beats_in_order(shuffled(batch, step, **settings)) for step in range(n)]


REGULAR = [0.8] * 9
IRREGULAR = [0.6, 0.95, 0.7, 1.1, 0.62, 0.8, 1.0, 0.66, 0.9]


@settings(max_examples=40, deadline=None)
@given(
    rr=st.lists(st.floats(0.55, 1.4), min_size=0, max_size=12),
    p=st.booleans(),
    first=st.floats(0.02, 0.7),
    keep=st.booleans(),
    step=st.integers(0, 50),
)
def test_beats_intervals_heights_and_length_are_kept_whatever_the_rhythm(rr, p, first, keep, step):
    batch = batch_of(heart(rr, first_s=first, p=p))
    view = shuffled(batch, step, keep_rhythm=keep)
    assert view.signal.shape == batch.signal.shape and torch.equal(view.valid, batch.valid)
    assert sorted(beats_in_order(view)) == list(range(len(rr) + 1))
    was, now = r_peaks(batch), r_peaks(view)
    assert sorted(was.diff().tolist()) == sorted(now.diff().tolist())
    if len(rr):
        assert now[0] == was[0] or first > 0.1
    # Every wave is whole: its marks keep their distances, row for row.
    old = {k: batch.columns["fiducials"][0, k] for k in range(len(rr) + 1)}
    new = view.columns["fiducials"][0]
    new = new[new[:, 1, 1].isfinite()]
    for row, k in zip(new, beats_in_order(view)):
        torch.testing.assert_close(row - row[1, 1], old[k] - old[k][1, 1], equal_nan=True, atol=1e-3, rtol=0)
    # The same on all leads.
    torch.testing.assert_close(view.signal[0, 1], -0.5 * view.signal[0, 0], atol=1e-5, rtol=0)


@settings(max_examples=40, deadline=None)
@given(
    rr=st.lists(st.floats(0.5, 1.3), min_size=3, max_size=10),
    wander=st.floats(0, 0.3),
    step=st.integers(0, 9),
)
def test_no_step_is_larger_than_in_the_signal_and_waves_stay_whole(rr, wander, step):
    batch = batch_of(heart(rr, p=[k % 4 != 0 for k in range(len(rr) + 1)], wander=wander))
    view = shuffled(batch, step, keep_rhythm=False)
    fade = 5
    free = torch.ones(batch.signal.shape[-1], dtype=torch.bool)
    marks = view.columns["fiducials"][0]
    for row in marks:
        known = row[row.isfinite()]
        if len(known):
            free[max(0, int(known.min()) - fade) : int(known.max()) + fade] = False
    between = view.signal[0, 0].diff().abs()[free[1:] & free[:-1]]
    assert between.numel() == 0 or between.max() <= 0.003 + 0.015 * wander
    assert (
        view.signal.diff(dim=2).abs().max() <= batch.signal.diff(dim=2).abs().max() + 0.003 + 0.015 * wander
    )


def test_a_regular_window_takes_any_order_and_head_and_tail_stay():
    batch = batch_of(heart(REGULAR))
    found = orders(batch, 40)
    assert len({tuple(order) for order in found}) > 35
    assert {order[-1] for order in found} == {9}
    assert {order[0] for order in found} >= {0, 3, 6, 8}, "the first beat is complete"
    head = batch_of(heart(REGULAR, first_s=0.1, pr_s=0.09))
    assert {order[0] for order in orders(head)} == {0}, "no place ahead of the first beat: it is the head"


def test_the_signal_outside_the_beats_is_left_alone():
    batch = batch_of(heart(REGULAR, noise=0.01))
    at, allowed = cuts(batch, beats_of(batch, "test"), 2, 0)
    first, last = at[allowed].min(), at[allowed].max()
    view = shuffled(batch)
    assert not torch.equal(view.signal, batch.signal)
    assert torch.allclose(view.signal[..., : first - 2], batch.signal[..., : first - 2], atol=1e-6)
    assert torch.allclose(view.signal[..., last + 2 :], batch.signal[..., last + 2 :], atol=1e-6)


@pytest.mark.parametrize("hearts", [heart([0.8, 0.8]), heart([]), heart([0.8] * 9, pr_s=0.5)])
def test_too_few_beats_or_no_place_between_them_change_nothing(hearts):
    batch = batch_of(hearts)
    for step in range(5):
        assert torch.equal(shuffled(batch, step).signal, batch.signal)


def test_a_window_without_marks_is_left_alone_beside_one_with_them():
    signal, marks = heart(REGULAR)
    batch = batch_of((signal, marks), (signal, marks[:0]))
    view = shuffled(batch)
    assert not torch.equal(view.signal[0], batch.signal[0]) and torch.equal(view.signal[1], batch.signal[1])
    empty = batch.with_(columns={"fiducials": torch.zeros(2, 0, 3, 3)})
    assert (
        torch.equal(shuffled(empty).signal, batch.signal)
        and shuffled(empty).columns["fiducials"].shape[1] == 0
    )


@pytest.mark.parametrize(
    ("name", "window"),
    [
        ("sinus arrhythmia", heart([0.7, 0.8, 0.95, 1.05, 1.0, 0.85, 0.72, 0.75, 0.9])),
        ("flutter, junctional: regular without P", heart(REGULAR, p=False)),
        ("dropped beats", heart([0.8, 0.8, 1.6, 0.8, 0.8, 1.6, 0.8], pr_s=0.16)),
        ("blocked P", heart([0.8] * 8, lone_p_s=(3.3,))),
        ("P now and then", heart([0.8] * 8, p=[k % 3 != 0 for k in range(9)])),
    ],
)
def test_order_that_bears_the_rhythm_is_only_turned(name, window):
    found = orders(batch_of(window))
    assert len({tuple(order) for order in found}) > 1, name
    for order in found:
        assert is_turned(order), (name, order)


def is_turned(order):
    """Whether the beats between head and tail follow each other as before, in a ring."""
    first = next((i for i, k in enumerate(order) if i != k), None)
    if first is None:
        return True
    last = max(i for i, k in enumerate(order) if i != k)
    ring = order[first : last + 1]
    start = ring.index(min(ring))
    return ring[start:] + ring[:start] == sorted(ring)


def test_fibrillation_takes_any_order():
    found = orders(batch_of(heart(IRREGULAR, p=False)), 30)
    assert sum(not is_turned(order) for order in found) > 10


def test_bigeminy_keeps_its_pairs_and_their_alternation():
    window = heart([0.55, 1.1] * 4, wide={1, 3, 5, 7}, p=[k % 2 == 0 for k in range(9)])
    found = orders(batch_of(window), 20)
    assert len({tuple(order) for order in found}) > 2
    for order in found:
        assert [k % 2 for k in order] == [0, 1] * 4 + [0] and is_turned(order)


@pytest.mark.parametrize("narrow", [False, True])
def test_a_single_early_beat_keeps_its_coupling_and_its_pause(narrow):
    window = heart(
        [0.8, 0.8, 0.8, 0.5, 1.1, 0.8, 0.8, 0.8, 0.8],
        wide=set() if narrow else {4},
        p=[k != 4 for k in range(10)],
    )
    batch = batch_of(window)
    places = set()
    for step in range(20):
        view = shuffled(batch, step)
        order, rr = beats_in_order(view), r_peaks(view).diff() / FS
        at = order.index(4)
        assert (
            order[at - 1] == 3 and rr[at - 1] == pytest.approx(0.5) and rr[at] == pytest.approx(1.1, abs=0.01)
        )
        places.add(at)
    assert len(places) > 3


def test_a_couplet_stays_whole():
    window = heart(
        [0.8, 0.8, 0.45, 0.45, 1.2, 0.8, 0.8, 0.8], wide={3, 4}, p=[k not in (3, 4) for k in range(9)]
    )
    for order in orders(batch_of(window)):
        at = order.index(3)
        assert order[at - 1 : at + 2] == [2, 3, 4]


def test_wenckebach_cycles_are_turned_whole_and_dissociation_is_left_alone():
    pr = [0.16, 0.22, 0.27]
    cycle = [0.8, 0.78, 1.3]
    window = heart((cycle * 5)[:14], pr_s=pr * 5, first_s=0.9)
    found = orders(batch_of(window), 20)
    assert len({tuple(order) for order in found}) > 1
    for order in found:
        assert [k % 3 for k in order] == [0, 1, 2] * 5
    wandering = [0.12 + 0.05 * (3 * k % 5) for k in range(10)]
    batch = batch_of(heart([1.2] * 9, pr_s=wandering))
    assert order_of(beats_of(batch, "test"), FS).joined.all()
    assert torch.equal(shuffled(batch).signal, batch.signal)


def test_amplitude_above_the_level_survives_wander():
    batch = batch_of(heart(REGULAR, wander=0.3))
    view = shuffled(batch)
    at = r_peaks(view)
    around = view.signal[0, 0][at] - 0.5 * (view.signal[0, 0][at - 20] + view.signal[0, 0][at + 20])
    assert sorted((100 * (around - 1)).round().long().tolist()) == pytest.approx(list(range(10)), abs=2)


def test_free_cuts_change_intervals_and_the_common_distance_does_not():
    batch = batch_of(heart(REGULAR, noise=0.02))
    fixed, free = shuffled(batch), shuffled(batch, spread_ms=500.0)
    assert r_peaks(fixed).diff().unique().tolist() == [200]
    assert len(r_peaks(free).diff().unique()) > 3


def test_waves_go_with_the_signal():
    signal, marks = heart([0.8, 0.84, 0.78, 0.8, 0.82, 0.8, 0.77, 0.8])
    waves = torch.zeros(3, signal.shape[1], dtype=torch.int8)
    for row in marks:
        for k in range(3):
            if row[k].isfinite().all():
                waves[:, int(row[k, 0]) : int(row[k, 2]) + 1] = k + 1
    batch = batch_of((signal, marks))
    batch = batch.with_(columns=batch.columns | {"waves": waves[None]})
    view = shuffled(batch)
    assert not torch.equal(view.columns["waves"], batch.columns["waves"])
    for row in view.columns["fiducials"][0]:
        for k in range(3):
            if row[k].isfinite().all():
                assert (view.columns["waves"][0, :, int(row[k, 0]) : int(row[k, 2]) + 1] == k + 1).all()
    assert (view.columns["waves"][view.signal.abs() > 0.05] > 0).all()


def test_a_window_is_shuffled_alike_with_more_beats_beside_it():
    few, many = heart(REGULAR), heart([0.6] * 20)
    together, alone = batch_of(few, many), batch_of(few)
    n = few[0].shape[1]
    for form in ("beats", "release"):
        both, one = shuffled(together, form=form), shuffled(alone, form=form)
        torch.testing.assert_close(both.signal[0, :, :n], one.signal[0])
        assert (both.signal[0, :, n:] == 0).all()


def test_the_authors_form_drops_the_head_and_ends_in_zeros():
    batch = batch_of(heart(REGULAR), heart([0.7] * 4))
    view = shuffled(batch, form="release")
    for row in range(2):
        n, head = int(batch.valid[row].sum()), int(r_peaks(batch, row)[0])
        r = [*r_peaks(batch, row).tolist(), n]
        was = [batch.signal[row, :, a:b] for a, b in zip(r, r[1:])]
        now = view.signal[row, :, : n - head]
        assert (view.signal[row, :, n - head :] == 0).all()
        while was:  # the result is these pieces, one after another
            fits = [i for i, x in enumerate(was) if torch.equal(now[:, : x.shape[1]], x)]
            assert fits
            now = now[:, was.pop(fits[0]).shape[1] :]
        assert now.numel() == 0


def test_it_says_what_it_needs():
    batch = batch_of(heart(REGULAR))
    with pytest.raises(ShapeError, match="sampling rate"):
        shuffled(batch.with_(fs=None))
    with pytest.raises(ShapeError, match="column 'fiducials'"):
        shuffled(batch.with_(columns={}))
    with pytest.raises(RecipeError, match="form"):
        ShuffleBeats.check({"form": "random"})
