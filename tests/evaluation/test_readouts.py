"""A benchmark with every readout: what cells and tables hold, what is noticed, what is cached, what only the test part sees."""

import json
import shutil

import numpy as np
import polars as pl
import pytest

from ecgprior.corpus.tables import write_table
from ecgprior.encoders._load import load
from ecgprior.errors import ColumnMissing, RecipeError, ShapeError
from ecgprior.evaluation import arms as arms_module
from ecgprior.evaluation import benchmark as benchmark_module
from ecgprior.evaluation import embedded as embedded_module
from ecgprior.evaluation import readouts as module
from ecgprior.evaluation.benchmark import benchmark, open_setting
from ecgprior.evaluation.cells import CellName
from ecgprior.evaluation.embedded import Embedded, embed_cached
from ecgprior.evaluation.finetune import FinetunePlan
from ecgprior.evaluation.fractions import LEAST
from ecgprior.evaluation.metrics import auroc
from ecgprior.evaluation.plan import BenchmarkRecipe, resolve_arms
from ecgprior.evaluation.verify import verify
from ecgprior.record.record import LEADS

FEATURES = ("rr_ms", "qrs_ms", "qt_ms", "qrs_axis_deg")
MORE = {
    "readouts": ["probe", "knn", "stacked", "finetune"],
    "finetune": {"steps": 6, "batch": 8, "validate_every": 2, "lr": 0.01},
    "fractions": [0.25, 0.5],
    "draws": 3,
    "changed": [
        {"name": "noisy", "noise_db": 0.0},
        {"name": "50hz", "rate": 50},
        {"name": "two", "leads": ["I", "II"]},
    ],
    "retrieval": True,
}
SCORED = {"probe", "knn", "stacked", "finetune", "probe:noisy", "probe:50hz", "probe:two"}


@pytest.fixture(scope="module")
def measured(make_corpus):
    """A corpus of which heart rate says "fast" and QRS says "slow"."""
    corpus = make_corpus()
    rng = np.random.default_rng(0)
    rows = []
    for record in corpus.index["record"]:
        i = int(record.rpartition("r")[2])
        values = [800 - 300 * (i % 4 < 2), 90 + 50 * (i % 3 == 0), 400, 40] + rng.normal(size=4) * [
            40,
            8,
            20,
            15,
        ]
        rows.append((record, 0, 150, *values))
    schema = {"record": pl.String, "start": pl.Int64, "stop": pl.Int64} | dict.fromkeys(FEATURES, pl.Float64)
    table = pl.DataFrame(rows, schema=schema, orient="row")
    write_table(corpus.path, "features", table, corpus.digest, {"settings": {"network": "made up"}})
    return type(corpus)(corpus.path)


@pytest.fixture(scope="module")
def recipe(values):
    untrained = values()["arms"][1] | {"name": "random-init", "train": False}
    arms = [
        untrained,
        values()["arms"][1],
        {"name": "features", "features": "linear"},
        {"name": "trees", "features": "trees"},
    ]
    return values(arms=arms, unlabelled_sources=[], split={"kind": "cv", "folds": 3, "only": [1]}, **MORE)


@pytest.fixture(scope="module")
def done(measured, recipe, tmp_path_factory):
    to = tmp_path_factory.mktemp("readouts") / "result"
    return to, benchmark(recipe, measured, to)


def cell(to, arm):
    return json.loads((to / f"cells/{arm}-s0-f1.json").read_text())


@pytest.mark.parametrize("arm", ["random-init", "simclr"])
def test_a_cell_holds_every_readout(done, arm):
    found = cell(done[0], arm)
    for task in found["tasks"].values():
        n, n_labels = len(task["records"]), len(task["labels"])
        assert set(task["readouts"]) == {*SCORED, "probe@0.25", "probe@0.5"}
        for name in SCORED:
            assert np.shape(task["readouts"][name]["scores"]) == (n_labels, n)
        for share in (0.25, 0.5):
            one = task["readouts"][f"probe@{share}"]
            assert (
                one["fraction"] == share and np.shape(one["draws"]) == (3, n_labels) and "scores" not in one
            )
            assert all(2 * LEAST <= size < task["n"]["train"] for size in one["records"])
    assert {"k", "precision", "chance", "r2_median"} <= set(found["retrieval"])
    assert found["retrieval"]["queries"] > 0 and found["retrieval"]["k"] == 10
    assert set(found["seconds"]) == {"train", "embed", "finetune", "probe"}


def test_arms_on_features_have_fractions_and_nothing_else(done):
    assert set(cell(done[0], "features")["tasks"]["first"]["readouts"]) == {
        "probe",
        "probe@0.25",
        "probe@0.5",
    }
    assert set(cell(done[0], "trees")["tasks"]["first"]["readouts"]) == {"trees"}
    for arm in ("features", "trees"):
        assert "retrieval" not in cell(done[0], arm) and "finetune" not in cell(done[0], arm)["seconds"]
    assert "readouts" not in cell(done[0], "trees")["key"] and "readouts" in cell(done[0], "features")["key"]


def test_arms_and_seeds_are_compared_on_the_same_draws(done):
    sizes = [
        cell(done[0], arm)["tasks"]["first"]["readouts"]["probe@0.25"]["records"]
        for arm in ("simclr", "features")
    ]
    assert sizes[0] == sizes[1]


def test_tables(done):
    tables = done[1].tables
    summary = tables.summary
    assert set(summary.filter(pl.col("arm") == "simclr")["readout"]) == SCORED
    efficiency = tables.efficiency
    assert set(efficiency["arm"]) == {"random-init", "simclr", "features"}
    own = efficiency.filter((pl.col("arm") == "simclr") & (pl.col("scope") == "all tasks"))
    assert own["fraction"].to_list() == [0.25, 0.5, 1.0] and own["draws"].to_list() == [3, 3, 1]
    probe = summary.filter(
        (pl.col("arm") == "simclr") & (pl.col("readout") == "probe") & (pl.col("scope") == "all tasks")
    )
    assert own["auroc"][2] == pytest.approx(probe["auroc"][0])
    tasks = cell(done[0], "simclr")["tasks"]
    by_task = [np.mean([np.mean(d) for d in t["readouts"]["probe@0.5"]["draws"]]) for t in tasks.values()]
    assert own["auroc"][1] == pytest.approx(np.mean(by_task))
    assert (efficiency["low"] <= efficiency["auroc"]).all() and (
        efficiency["auroc"] <= efficiency["high"]
    ).all()
    assert set(efficiency["scope"]) == {"first", "second", "all tasks", "without second"}
    found = tables.retrieval.filter(pl.col("arm") == "simclr").row(0, named=True)
    assert found["precision"] == pytest.approx(cell(done[0], "simclr")["retrieval"]["precision"])
    stored = json.loads((done[0] / "results.json").read_text())
    assert len(stored["efficiency"]) == efficiency.height and len(stored["retrieval"]) == 2
    text = (done[0] / "results.csv").read_text()
    assert "simclr,probe@0.25,all tasks,,auroc," in text and "simclr,retrieval,,,precision," in text


def test_verify_holds_and_names_what_was_changed(done, measured, tmp_path):
    assert verify(done[0], measured) == []
    shutil.copytree(done[0], tmp_path / "copy", ignore=shutil.ignore_patterns("work"))
    path = tmp_path / "copy/cells/simclr-s0-f1.json"

    def after(edit):
        found = json.loads((done[0] / "cells/simclr-s0-f1.json").read_text())
        edit(found["tasks"]["first"]["readouts"], found)
        path.write_text(json.dumps(found))
        return verify(tmp_path / "copy", measured)

    place = "cell 'simclr-s0-f1', task 'first': "
    assert after(lambda r, _: r["knn"]["scores"][0].reverse())[0].startswith(f"{place}knn: AUROC of")
    assert after(lambda r, _: r["probe@0.25"]["draws"].pop()) == [
        f"{place}probe@0.25: expected 3 draws of 2 labels"
    ]
    assert after(lambda r, _: r["probe@0.25"]["draws"][0].__setitem__(0, 0.123))[0].startswith(
        "results.json: auroc of"
    )
    assert "expected AUROC between" in after(lambda r, _: r["probe@0.5"]["draws"][0].__setitem__(0, 1.2))[0]
    assert after(lambda _, c: c["retrieval"].update(precision=0.9)) == [
        "results.json: precision of simclr is "
        + f"{cell(done[0], 'simclr')['retrieval']['precision']}, the cells give 0.9"
    ]
    assert after(lambda _, c: c["key"].update(readouts="0")) == [
        "cell 'simclr-s0-f1': it was computed with another readouts than the recipe and folds say"
    ]


def test_keys_without_readouts_are_what_they_were(done, measured, recipe, tmp_path):
    plain = {key: value for key, value in recipe.items() if key not in MORE}
    settings = [
        open_setting(BenchmarkRecipe.of(r), measured, tmp_path / str(i))
        for i, r in enumerate((plain, recipe))
    ]
    name = CellName("simclr", 0, 1)
    before, now = (setting.key(name) for setting in settings)
    assert set(before) == {"arm", "tasks", "folds", "labels", "unlabelled"}
    assert {k: v for k, v in now.items() if k != "readouts"} == before == settings[1].weights_key(name)
    for change in (
        {"draws": 4},
        {"fractions": [0.5]},
        {"retrieval": False},
        {"finetune": {"steps": 7}},
        {"changed": []},
    ):
        other = open_setting(BenchmarkRecipe.of({**recipe, **change}), measured, tmp_path / "other")
        assert other.key(name)["readouts"] != now["readouts"]


def test_a_cell_without_a_readout_that_is_now_asked_for_is_noticed_and_its_encoder_is_kept(
    done, measured, recipe, tmp_path, monkeypatch
):
    to = tmp_path / "result"
    shutil.copytree(done[0], to)
    more = {**recipe, "changed": [*recipe["changed"], {"name": "six", "leads": list(LEADS[:6])}]}
    with pytest.raises(
        RecipeError, match="computed with other readouts than .* encoder is not trained again"
    ):
        benchmark(more, measured, to)
    for path in (to / "cells").glob("*.json"):
        path.unlink()
    monkeypatch.setattr(
        "ecgprior.training.run.Run.loop", lambda *_: pytest.fail("an encoder was trained again")
    )
    embedded = []
    embed = embedded_module._embed
    monkeypatch.setattr(embedded_module, "_embed", lambda *a: embedded.append(a[3]) or embed(*a))
    result = benchmark(more, measured, to, work=to / "work")
    assert result.finished == 4 and "probe:six" in cell(to, "simclr")["tasks"]["first"]["readouts"]
    # the untrained arm is saved anew, its files are the same; only the new change is embedded
    assert {change.name if change else None for change in embedded} == {"six"}
    for arm in ("simclr", "random-init"):
        old, new = (cell(folder, arm)["tasks"]["first"]["readouts"] for folder in (done[0], to))
        assert all(new[name] == old[name] for name in old)


def test_the_features_side_of_a_stack_is_grown_once_for_all_arms_and_seeds(done):
    folders = list((done[0] / "work").glob("stack-*"))
    assert sorted(f.name.rpartition("-")[0] for f in folders) == ["stack-first-f1", "stack-second-f1"]


def test_a_lead_subset_is_the_record_with_those_leads_absent(done, measured):
    folder = next((done[0] / "work").glob("simclr-s0-f1-*"))
    model = load(folder / "run/checkpoint")
    records = cell(done[0], "simclr")["tasks"]["first"]["records"]
    rows = measured.rows(records)
    cut = []
    for row in rows:
        record = measured.record(row)
        signal = record.signal.copy()
        signal[2:] = np.nan
        cut.append(record.with_(signal=signal))
    expected = model.embed(cut, check_unit=False)
    stored = np.load(folder / "embedding-two.npy")
    tested = sorted({*rows, *measured.rows(cell(done[0], "simclr")["tasks"]["second"]["records"])})
    np.testing.assert_allclose(stored[np.searchsorted(tested, rows)], expected, atol=1e-5)
    clean = np.load(folder / "embedding.npy")
    assert not np.allclose(stored[:3], clean[:3], atol=1e-3)


def test_a_change_that_leaves_no_lead_counts_as_the_mean(done, measured, recipe, tmp_path):
    setting = open_setting(BenchmarkRecipe.of(recipe), measured, tmp_path / "to")
    parts = setting.folds.parts(1)
    rows = setting.labelled
    x = np.random.default_rng(0).normal(size=(len(rows), 4))
    lost = Embedded(rows, np.where(np.arange(len(rows))[:, None] % 2, x, np.nan))
    given = module.Given(rows, x, changed={"lost": lost, "same": Embedded(rows, x)})
    bare = open_setting(
        BenchmarkRecipe.of({**recipe, "readouts": ["probe"], "fractions": []}), measured, tmp_path / "b"
    )
    found = module.read_task(bare, CellName("simclr", 0, 1), "first", parts, given)["readouts"]
    assert found["probe:same"]["scores"] == found["probe"]["scores"]
    scores = np.array(found["probe:lost"]["scores"][0])
    own = np.searchsorted(
        rows,
        bare.corpus.rows(module.read_task(bare, CellName("simclr", 0, 1), "first", parts, given)["records"]),
    )
    assert len(set(scores[own % 2 == 0])) == 1 and found["probe:lost"]["without_leads"] == int(
        (own % 2 == 0).sum()
    )
    kept = own % 2 == 1
    assert (scores[kept] == np.array(found["probe"]["scores"][0])[kept]).all()


def test_a_record_without_the_kept_leads_has_no_embedding(done, measured):
    folder = next((done[0] / "work").glob("random-init-s0-f1-*"))
    model = load(folder / "checkpoint")
    change = BenchmarkRecipe.of({"tasks": [{"name": "t", "vocabulary": "v"}], "arms": [{"name": "a", "pretrain": "simclr"}],
                                 "changed": [{"name": "none", "leads": ["V9"]}]}).changed[0]  # fmt: skip
    found = embed_cached(model, measured, np.arange(3), folder, name="none", change=change)
    assert found.x.shape == (3, model.dim) and np.isnan(found.x).all()
    clean = embed_cached(model, measured, np.arange(3), folder, name="some")
    assert np.isfinite(clean.x).all()


def test_an_embedding_that_is_not_finite_is_named_and_old_files_are_not_taken_for_new_ones(
    done, measured, tmp_path, monkeypatch
):
    model = load(next((done[0] / "work").glob("random-init-s0-f1-*")) / "checkpoint")
    rows, few = np.arange(4), np.arange(2)
    old = embed_cached(model, measured, rows, tmp_path)
    monkeypatch.setattr(embedded_module, "write_json", lambda *_: pytest.fail("killed"))
    with pytest.raises(pytest.fail.Exception, match="killed"):
        embed_cached(model, measured, few, tmp_path)
    monkeypatch.undo()
    assert np.array_equal(embed_cached(model, measured, rows, tmp_path).x, old.x)
    run = model._model.run
    monkeypatch.setattr(model._model, "run", lambda *given: (run(*given)[0] * np.nan, None))
    with pytest.raises(ShapeError, match="embedding of record 'alpha/r000': expected finite"):
        embed_cached(model, measured, rows, tmp_path, name="other")


def test_fine_tuning_moves_the_encoder_and_scores_are_of_the_kept_step(done, measured):
    folder = next((done[0] / "work").glob("simclr-s0-f1-*"))
    begin = load(folder / "run/checkpoint").encoder.state_dict()
    tuned = load(next(folder.glob("finetune-*")) / "checkpoint")
    after = tuned.encoder.state_dict()
    assert any(
        not np.allclose(begin[key], after[key], atol=1e-4)
        for key in begin
        if begin[key].dtype.is_floating_point
    )
    found = cell(done[0], "simclr")["tasks"]["first"]
    one = found["readouts"]["finetune"]
    log = [
        json.loads(line) for line in (next(folder.glob("finetune-*")) / "log.jsonl").read_text().splitlines()
    ]
    looks = {line["step"]: line["auroc"] for line in log if "auroc" in line}
    best = max(looks.values())
    assert one["kept_step"] == min(step for step, value in looks.items() if value == best)
    assert tuned.config["metrics"]["kept_step"] == one["kept_step"] and one["view_passes"] == 6 * 8
    records = [measured.record(row) for row in measured.rows(found["records"])]
    expected = tuned.predict(records, check_unit=False)[
        :, [tuned.labels.index(f"first/{label}") for label in found["labels"]]
    ]
    np.testing.assert_allclose(np.array(one["scores"]).T, expected, rtol=1e-3, atol=1e-6)
    truth = truth_of(measured, found)
    np.testing.assert_allclose(one["auroc"], auroc(truth, expected), atol=0.02)


def truth_of(corpus, task):
    names = corpus.index.select("record", "labels.v")
    own = dict(zip(names["record"], names["labels.v"].to_list(), strict=True))
    return np.array([[float(label in own[record]) for label in task["labels"]] for record in task["records"]])


def test_fine_tuning_sees_train_and_validation_only(done, measured):
    folder = next((done[0] / "work").glob("simclr-s0-f1-*"))
    tuned = load(next(folder.glob("finetune-*")) / "checkpoint")
    found = cell(done[0], "simclr")
    tested = [r for task in found["tasks"].values() for r in task["records"]]
    sketches = {tuple(s) for s in tuned.fingerprints.tolist()}
    mine = measured.index.filter(pl.col("record").is_in(tested))["fingerprint"].to_list()
    assert not sketches & {tuple(s) for s in mine}


def test_settings_of_fine_tuning_are_checked_with_the_recipe(values):
    arm = resolve_arms(BenchmarkRecipe.of(values()))[1]
    plan = FinetunePlan.check({"steps": 5, "objective": {"dropout": 0.2}})
    made = plan.over(arm.recipe(3))
    assert (made.seed, made.steps, made.objective["name"], made.objective["dropout"]) == (
        3,
        5,
        "supervised",
        0.2,
    )
    assert made.preprocessing == arm.recipe(3).preprocessing and made.encoder == arm.recipe(3).encoder
    with pytest.raises(RecipeError, match="finetune.step"):
        BenchmarkRecipe.of(values(finetune={"step": 5}))
    wrong = {"objective": {"temperature": 1.0}}
    resolve_arms(BenchmarkRecipe.of(values(finetune=wrong)))  # it is not asked for
    with pytest.raises(RecipeError, match="temperature"):
        resolve_arms(BenchmarkRecipe.of(values(readouts=["probe", "finetune"], finetune=wrong)))


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"readouts": ["knn"]}, "expected probe among them"),
        ({"readouts": ["probe", "forest"]}, "readouts"),
        ({"readouts": ["probe", "knn", "knn"]}, "'readouts': expected each once, got 'knn' twice"),
        ({"fractions": [1.0]}, "shares between 0 and 1, got 1"),
        ({"fractions": [0.1, 0.1]}, "'fractions': expected each once"),
        (
            {"changed": [{"name": "a", "rate": 100}, {"name": "a", "rate": 50}]},
            "'changed': expected each once",
        ),
        ({"changed": [{"name": "a"}]}, "got none of them"),
        ({"draws": 0}, "draws"),
        (
            {"split": {"kind": "cv", "folds": 3, "only": [1, 1]}},
            "'split.only': expected each once, got '1' twice",
        ),
    ],
)
def test_refusals(values, changes, says):
    with pytest.raises(RecipeError, match=says):
        BenchmarkRecipe.of(values(**changes))


def test_comparisons_that_no_table_could_hold_are_refused(values):
    first, second = (arm | {"seeds": [seed]} for seed, arm in enumerate(values()["arms"]))
    trees = {"name": "trees", "features": "trees"}
    for changes, says in (
        (
            {"arms": [first, trees], "against": "trees"},
            "'against': expected an arm with a probe, got 'trees'",
        ),
        (
            {"arms": [first, trees], "primary": ["trees", first["name"]]},
            "'primary': expected an arm with a probe",
        ),
        (
            {"arms": [first, second], "primary": [first["name"], second["name"]]},
            "with a seed in common, got 'sup",
        ),
    ):
        with pytest.raises(RecipeError, match=says):
            BenchmarkRecipe.of(values(seeds=[0, 1], **changes))
    kept = BenchmarkRecipe.of(values(seeds=[0, 1], arms=[first, trees], primary=[first["name"], "trees"]))
    assert kept.primary == (first["name"], "trees")


@pytest.mark.parametrize("change", [{"readouts": ["probe", "stacked"]}, {"retrieval": True}])
def test_without_features_it_says_so_before_anything_is_computed(
    corpus, values, change, tmp_path, monkeypatch
):
    monkeypatch.setattr(benchmark_module, "compute_cell", lambda *_: pytest.fail("too late"))
    with pytest.raises(ColumnMissing, match="run `ecgprior features "):
        benchmark(values(**change), corpus, tmp_path / "to")
    assert (
        arms_module.asked(BenchmarkRecipe.of(values()), resolve_arms(BenchmarkRecipe.of(values()))[1]) == {}
    )
