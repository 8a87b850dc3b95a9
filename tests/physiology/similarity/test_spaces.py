"""Both spaces against a naive double loop in float64; absence, vetoes, thresholds, files."""

import io
import json

import numpy as np
import pytest

from ecgprior.errors import CheckpointError, ColumnMissing, ShapeError
from ecgprior.physiology.similarity import BLOCKS, BlockSpace, PlainSpace, load
from ecgprior.physiology.similarity.space import from_state

NAMES = (
    "rate_bpm", "p_present", "pr_ms", "p_ms", "p_amplitude_mv.II", "qrs_ms", "qrs_slope.V1", "qt_ms", "t_amplitude_mv.V3",
    "axis_deg", "sokolow_mv", "noise_mv",
)  # fmt: skip
BLOCK_OF = {
    "rate_bpm": "rhythm", "p_present": "rhythm", "pr_ms": "av_p", "p_ms": "av_p", "p_amplitude_mv": "av_p",
    "qrs_ms": "qrs_conduction", "qrs_slope": "qrs_conduction", "qt_ms": "st_t_qt", "t_amplitude_mv.V3": "st_t_qt",
    "axis_deg": "voltage_axis", "sokolow_mv": "voltage_axis", "noise_mv": "quality",
}  # fmt: skip


def features(n: int = 300, seed: int = 0) -> np.ndarray:
    """Made-up patients: 10 % in fibrillation (no P, so no PR), 10 % with a wide QRS, 5 % of values lost to noise."""
    rng = np.random.default_rng(seed)
    af, wide = rng.random(n) < 0.1, rng.random(n) < 0.1
    raw = np.column_stack(
        [
            rng.normal(70, 10, n) + 25 * af, ~af, rng.normal(160, 20, n), rng.normal(100, 10, n),
            rng.normal(0.12, 0.03, n), rng.normal(92, 8, n) + 50 * wide, rng.normal(0.1, 0.02, n) - 0.05 * wide,
            rng.normal(390, 25, n), rng.normal(0.4, 0.15, n), rng.normal(40, 25, n) - 60 * wide,
            rng.normal(2.2, 0.6, n), rng.gamma(2, 0.02, n),
        ]
    )  # fmt: skip
    raw[af, 2:5] = np.nan
    lost = rng.random(raw.shape) < 0.05
    lost[:, 1] = False
    raw[lost] = np.nan
    raw[:4, :] = np.nan  # nothing could be measured
    return raw


def ids(n: int) -> list[str]:
    return [f"r{i}" for i in range(n)]


@pytest.fixture(scope="module")
def plain():
    return PlainSpace.fit(features(), NAMES, ids=ids(300), components=6)


@pytest.fixture(scope="module")
def block():
    return BlockSpace.fit(features(), NAMES, BLOCK_OF, ids=ids(300))


def by_hand(space, row):
    """Coordinates of one row in float64, one feature at a time, and what is measurable."""
    fit, found, there = space.standardiser, [], []
    value_of = dict(zip(NAMES, row))
    for part in space.parts:
        names = [fit.names[c] for c in part.columns]
        standard, lost = [], 0
        for name in names:
            i = fit.names.index(name)
            if np.isfinite(value_of[name]):
                standard.append(min(4.0, max(-4.0, (value_of[name] - fit.centre[i]) / fit.scale[i])))
            else:
                standard.append(0.0)
                lost += 1
        share = lost / len(names)
        standard.append(min(4.0, max(-4.0, (share - part.flag[0]) / part.flag[1])))
        there.append(share <= 0.5)
        deviation = [v - m for v, m in zip(standard, part.mean)]
        found.append([sum(d * w for d, w in zip(deviation, axis)) for axis in part.axes])
    return found, there


def naive_block(space, a, b):
    (x, in_a), (y, in_b) = by_hand(space, a), by_hand(space, b)
    values = []
    for p, q, ok_p, ok_q, part in zip(x, y, in_a, in_b, space.parts):
        if ok_p and ok_q:
            squared = sum((u - v) ** 2 for u, v in zip(p, q))
            values.append((np.exp(-squared), squared > part.reach[0]))
    if len(values) < space.min_blocks:
        return np.nan
    return 0.0 if any(veto for _, veto in values) else float(np.mean([v for v, _ in values]))


def naive_plain(space, a, b):
    (x, in_a), (y, in_b) = by_hand(space, a), by_hand(space, b)
    if not (in_a[0] and in_b[0]):
        return np.nan
    return float(np.dot(x[0], y[0]) / (np.linalg.norm(x[0]) * np.linalg.norm(y[0])))


@pytest.mark.parametrize("name", ["plain", "block"])
def test_similarity_is_that_of_a_naive_double_loop(name, request):
    space = request.getfixturevalue(name)
    one, other = features(40, seed=1), features(35, seed=2)
    naive = {"plain": naive_plain, "block": naive_block}[name]
    expected = np.array([[naive(space, a, b) for b in other] for a in one])
    got = space.similarity(space.coordinates(one), space.coordinates(other))
    assert got.dtype == np.float32 and got.shape == (40, 35)
    assert np.isnan(expected).any() and np.isfinite(expected).any()
    np.testing.assert_allclose(got, expected, atol=2e-5)


@pytest.mark.parametrize("name", ["plain", "block"])
def test_neighbours_are_those_of_a_full_sort(name, request):
    space = request.getfixturevalue(name)
    many, few = features(3000, seed=3), features(12, seed=4)
    rows, queries = space.coordinates(many), space.coordinates(few)
    everything = space.similarity(queries, rows)
    found = space.neighbours(queries, rows, 7)
    for q in range(12):
        if q < 4:  # of these nothing was measured
            assert (found.row[q] == -1).all() and np.isnan(found.similarity[q]).all()
            continue
        order = np.argsort(np.where(np.isnan(everything[q]), np.inf, -everything[q]), kind="stable")[:7]
        np.testing.assert_allclose(found.similarity[q], everything[q][order], atol=1e-6)
        np.testing.assert_allclose(everything[q][found.row[q]], everything[q][order], atol=1e-6)


def test_neighbours_leave_out_the_own_group_and_say_when_there_are_too_few(block):
    rows = block.coordinates(features(40, seed=5))
    patient = np.arange(40) // 2
    found = block.neighbours(rows, rows, 3, groups=(patient, patient))
    there = found.row >= 0
    assert there[4:].all() and not (patient[found.row] == patient[:, None])[there].any()
    short = block.neighbours(rows[4:6], rows[4:6], 5)
    assert sorted(short.row[0]) == [-1, -1, -1, 0, 1] and np.isnan(short.similarity[0, 2:]).all()
    assert block.neighbours(rows, rows[:0], 2).row.tolist() == [[-1, -1]] * 40
    with pytest.raises(ShapeError, match="at least 1"):
        block.neighbours(rows, rows, 0)
    with pytest.raises(ShapeError, match="groups: expected 40"):
        block.neighbours(rows, rows, 1, groups=(patient[:3], patient))


def test_equal_rows_are_most_similar_and_the_first_of_equals_comes_first(block):
    rows = block.coordinates(np.repeat(features(20, seed=6)[4:8], 3, axis=0))
    found = block.neighbours(rows[:1], rows, 3)
    assert found.row.tolist() == [[0, 1, 2]]
    np.testing.assert_allclose(found.similarity, 1.0, atol=1e-5)


def test_tiles_meet(block):
    many, some = block.coordinates(features(2100, seed=3)), block.coordinates(features(520, seed=4))
    whole = block.similarity(some, many)
    rng = np.random.default_rng(0)
    row, column = rng.integers(0, 520, 5000), rng.integers(0, 2100, 5000)
    np.testing.assert_allclose(whole[row, column], block.of_pairs(some, many, row, column), atol=2e-5)


def test_absent_is_not_not_measurable(block):
    """In fibrillation AV/P leaves the mean and rhythm tells; a lost PR beside a known P duration carries its flag."""
    typical = np.nanmedian(features(), axis=0)
    af = typical.copy()
    af[1], af[2:5] = 0, np.nan
    lost = typical.copy()
    lost[2] = np.nan
    place = block.coordinates(np.stack([typical, af, lost]))
    av_p, rhythm = block.blocks.index("av_p"), block.blocks.index("rhythm")
    assert place.measurable[:, av_p].tolist() == [True, False, True]
    assert place.measurable[:, rhythm].all()
    where = block.slices[av_p]
    assert not np.allclose(place.values[0, where], place.values[2, where]), (
        "imputed by the median without its flag"
    )
    s = block.similarity(place, place)
    assert s[0, 1] < 0.9 and s[0, 0] == pytest.approx(1, abs=1e-5)
    both = block.similarity(place[1:2], place[1:2])
    assert both[0, 0] == pytest.approx(1, abs=1e-5), "two in fibrillation are compared by the other blocks"


def test_a_strongly_discordant_block_vetoes(block):
    typical = np.nanmedian(features(), axis=0)
    wide = typical.copy()
    wide[5:7] = 200, 0.0
    place = block.coordinates(np.stack([typical, wide]))
    assert block.similarity(place, place)[0, 1] == 0.0
    assert block.reach.shape == (5,) and (block.reach > 0).all()


def test_blocks_weigh_the_same_whatever_their_number_of_columns(block):
    """A step of one h in a block costs (1 − e^−½) / 5, in each block."""
    place = block.coordinates(np.nanmedian(features(), axis=0)[None])
    for number, where in enumerate(block.slices):
        moved = place.values.copy()
        moved[0, where.start] += 1 / np.sqrt(2)
        there = type(place)(moved, place.measurable, place.missing)
        expected = 1 - (1 - np.exp(-0.5)) / 5 if block.reach[number] > 0.5 else 0.0
        assert block.similarity(place, there)[0, 0] == pytest.approx(expected, abs=1e-5)


def test_delta_lets_the_asked_share_of_training_pairs_pass(plain, block):
    for space in (plain, block):
        here = space.coordinates(features())
        pairs = space.similarity(here, here)[np.triu_indices(300, 1)]
        known = pairs[np.isfinite(pairs)]
        for share in (0.05, 0.2):
            assert (known > space.delta(share)).mean() == pytest.approx(share, abs=0.005)
        with pytest.raises(ShapeError, match="between 0 and 1"):
            space.delta(1.0)


def test_quality_is_not_compared_and_features_without_block_are_left_out(block):
    assert block.blocks == BLOCKS and "noise_mv" not in block.standardiser.names
    with pytest.raises(ColumnMissing, match="expected some of the blocks rhythm"):
        BlockSpace.fit(features(), NAMES, {"qrs_ms": "elsewhere"}, ids=ids(300))


def test_the_missing_share_is_kept(block, plain):
    rows = features(30, seed=9)
    expected = 1 - np.isfinite(rows[:, [NAMES.index(n) for n in plain.standardiser.names]]).mean(axis=1)
    np.testing.assert_allclose(plain.coordinates(rows).missing, expected, atol=1e-6)
    assert block.coordinates(rows).missing[0] == 1.0


def test_fewer_leads_at_hand_than_in_training(block):
    some = [NAMES.index(n) for n in ("rate_bpm", "p_present", "qrs_ms", "qrs_slope.V1")]
    place = block.coordinates(features()[:, some], [NAMES[i] for i in some])
    assert place.measurable[10:].sum(axis=0)[[1, 3, 4]].tolist() == [0, 0, 0]
    assert np.isfinite(block.similarity(place[10:12], place[10:12])).all()


def test_the_digests_are_of_the_training_rows_and_of_the_constants(block):
    again = BlockSpace.fit(features(), NAMES, BLOCK_OF, ids=ids(300))
    assert again.digest == block.digest and again.training == block.training
    renamed = BlockSpace.fit(features(), NAMES, BLOCK_OF, ids=[f"x{i}" for i in range(300)])
    assert renamed.training["digest"] != block.training["digest"] and renamed.digest != block.digest
    assert (renamed.quantiles == block.quantiles).all()
    with pytest.raises(ShapeError, match="ids: expected 300 different ones"):
        BlockSpace.fit(features(), NAMES, BLOCK_OF, ids=["a"] * 300)


@pytest.mark.parametrize("name", ["plain", "block"])
def test_a_file_gives_the_same_space(name, request, tmp_path):
    space = request.getfixturevalue(name)
    again = load(space.save(tmp_path / "space.npz"))
    assert type(again) is type(space) and again.digest == space.digest and again.settings == space.settings
    rows = features(20, seed=8)
    a, b = space.coordinates(rows), again.coordinates(rows)
    assert (a.values == b.values).all() and (a.measurable == b.measurable).all()
    arrays, about = space.state()
    assert from_state(arrays, json.loads(json.dumps(about))).digest == space.digest


def test_a_changed_or_foreign_file_is_refused(plain, tmp_path):
    path = plain.save(tmp_path / "space.npz")
    with np.load(path) as file:
        arrays = dict(file)
    arrays["centre"] = arrays["centre"] + 1
    np.savez(path, **arrays)
    with pytest.raises(CheckpointError, match="not those of the digest"):
        load(path)
    about = json.loads(arrays["about"].tobytes()) | {"format_version": 9}
    np.savez(path, **arrays | {"about": np.frombuffer(json.dumps(about).encode(), np.uint8)})
    with pytest.raises(CheckpointError, match="expected 1 of an ecgprior-similarity, got 9"):
        load(path)
    other = io.BytesIO()
    np.savez(other, x=np.ones(3))
    for content in (b"", b"not an archive", other.getvalue(), path.read_bytes()[:200]):
        path.write_bytes(content)
        with pytest.raises(CheckpointError, match="expected a file that Space.save wrote"):
            load(path)


def test_many_rows_are_drawn_from_and_odd_training_parts_fit():
    drawn = PlainSpace.fit(features(), NAMES, ids=ids(300), max_rows=100, n_pairs=500)
    assert drawn.training["n_rows"] == 300 and np.isfinite(drawn.quantiles).all()
    two = BlockSpace.fit(features()[10:12], NAMES, BLOCK_OF, ids=ids(2))
    assert two.min_blocks == 2 and len(two.coordinates(features()[:0])) == 0
    single = BlockSpace.fit(features()[:, [5]], ["qrs_ms"], BLOCK_OF, ids=ids(300))
    assert single.min_blocks == 1 and single.blocks == ("qrs_conduction",)
