"""The benchmark end to end on a small corpus: cells, resuming, refusals, tables."""

import json
import shutil

import numpy as np
import pytest

from ecgprior.errors import ColumnMissing, CorpusError, LeadMissing, RecipeError, SplitLeak
from ecgprior.evaluation import benchmark as module
from ecgprior.evaluation.arms import compute_cell
from ecgprior.evaluation.benchmark import benchmark, open_setting
from ecgprior.evaluation.cells import CellName, CellStore
from ecgprior.evaluation.plan import BenchmarkRecipe
from ecgprior.evaluation.readouts import rounded


def copy(finished, tmp_path, *names):
    """A new result folder with some of the finished one's files."""
    to = tmp_path / "copy"
    to.mkdir()
    for name in names:
        source = finished["to"] / name
        (shutil.copytree if source.is_dir() else shutil.copy)(source, to / name)
    return to


def no_computing(*_):
    raise AssertionError("a finished cell was computed again")


def test_every_cell_is_there_with_its_facts(finished, corpus):
    result, to = finished["result"], finished["to"]
    assert result.finished == result.planned == 9
    assert {p.name for p in to.glob("cells/*")} == {
        f"{arm}-s0-f{fold}.json" for arm in ("random-init", "supervised", "simclr") for fold in range(3)
    }
    tested = []
    for path in to.glob("cells/supervised-*.json"):
        cell = json.loads(path.read_text())
        assert path.stat().st_size < 20_000
        assert cell["corpus"] == corpus.digest and cell["test_seen_in_training"] == 0
        assert set(cell["tasks"]["first"]["readouts"]) == {"probe", "head"}
        tested += cell["tasks"]["first"]["records"] + cell["tasks"]["second"]["records"]
    assert len(tested) == len(set(tested)) == 34 + 28  # every labelled record once
    for name in ("manifest.json", "folds.csv", "results.json", "results.csv", "results.md"):
        assert (to / name).is_file()


def test_says_what_there_is_to_do_before_it_begins(finished):
    assert len(finished["said"]) == 1
    assert "0 of 9 cells are finished; the other 9 will take about" in finished["said"][0]
    assert "hours" in finished["said"][0] and "simclr" in finished["said"][0]


def test_random_init_is_always_an_arm_and_is_not_trained(finished):
    cell = json.loads((finished["to"] / "cells/random-init-s0-f0.json").read_text())
    assert cell["view_passes"] == 0
    assert set(cell["tasks"]["first"]["readouts"]) == {"probe"}
    summary = finished["result"].tables.summary
    own = summary.filter(summary["arm"] == "random-init")
    assert own["difference"].is_null().all()
    assert summary.filter(summary["arm"] == "simclr")["difference"].is_not_null().all()


def test_summary_has_every_scope(finished):
    summary = finished["result"].tables.summary
    for system in (
        ("random-init", "probe"),
        ("supervised", "head"),
        ("supervised", "probe"),
        ("simclr", "probe"),
    ):
        own = summary.filter((summary["arm"] == system[0]) & (summary["readout"] == system[1]))
        auroc = dict(zip(own["scope"], own["auroc"], strict=True))
        assert list(auroc) == ["first", "second", "all tasks", "without second"]
        assert auroc["all tasks"] == pytest.approx((auroc["first"] + auroc["second"]) / 2)
        assert auroc["without second"] == auroc["first"]
        assert (own["low"] <= own["auroc"] + 1e-9).all() and (own["auroc"] <= own["high"] + 1e-9).all()


def test_auroc_is_the_mean_over_folds_of_what_the_cells_say(finished):
    cells = [json.loads((finished["to"] / f"cells/simclr-s0-f{k}.json").read_text()) for k in range(3)]
    areas = [c["tasks"]["first"]["readouts"]["probe"]["auroc"] for c in cells]
    by_label = np.nanmean(np.array(areas, dtype=float), axis=0)
    labels = finished["result"].tables.labels
    own = labels.filter((labels["arm"] == "simclr") & (labels["task"] == "first"))
    np.testing.assert_allclose(own["auroc"], by_label, atol=1e-9)
    assert own["positives"].to_list() == [12, 18 - 1]  # less the one whose record has no labels


def test_a_finished_benchmark_computes_nothing_again(finished, corpus, monkeypatch):
    monkeypatch.setattr(module, "compute_cell", no_computing)
    before = {p: p.stat().st_mtime_ns for p in finished["to"].glob("cells/*.json")}
    said = []
    result = benchmark(finished["values"], corpus, finished["to"], say=said.append)
    assert said == [] and result.finished == 9
    assert before == {p: p.stat().st_mtime_ns for p in finished["to"].glob("cells/*.json")}


def test_goes_on_from_cells_folds_and_manifest_alone(finished, corpus, tmp_path, monkeypatch):
    monkeypatch.setattr(module, "compute_cell", no_computing)
    to = copy(finished, tmp_path, "cells", "folds.csv", "manifest.json")
    benchmark(finished["values"], corpus, to)
    assert (to / "results.csv").read_bytes() == (finished["to"] / "results.csv").read_bytes()
    assert (to / "manifest.json").read_bytes() == (finished["to"] / "manifest.json").read_bytes()


def test_a_missing_cell_alone_is_computed_and_comes_out_the_same(finished, corpus, tmp_path):
    to = copy(finished, tmp_path, "cells", "folds.csv", "manifest.json")
    path = to / "cells/simclr-s0-f1.json"
    before = json.loads(path.read_text())
    path.unlink()
    seen = []
    benchmark(
        finished["values"], corpus, to, progress=lambda done, total, text: seen.append((done, total, text))
    )
    assert json.loads(path.read_text())["tasks"] == before["tasks"]
    assert {text.split(":")[0] for _, _, text in seen if ":" in text} == {"simclr-s0-f1"}
    assert seen[-1][:2] == (9, 9)


def test_embeddings_and_checkpoints_are_used_again(finished, corpus, tmp_path, monkeypatch):
    to = copy(finished, tmp_path, "cells", "folds.csv", "manifest.json")
    path = to / "cells/supervised-s0-f0.json"
    before = json.loads(path.read_text())
    path.unlink()
    monkeypatch.setattr("ecgprior.encoders._load.Checkpoint.stream", no_computing)
    runs = list((finished["to"] / "work").glob("supervised-s0-f0-*/run/run.json"))
    written = [run.stat().st_mtime_ns for run in runs]
    benchmark(finished["values"], corpus, to, work=finished["to"] / "work")
    assert json.loads(path.read_text())["tasks"] == before["tasks"]
    assert len(runs) == 1 and [run.stat().st_mtime_ns for run in runs] == written


def test_an_arm_more_leaves_finished_cells_alone(finished, corpus, tmp_path, values):
    to = copy(finished, tmp_path, "cells", "folds.csv", "manifest.json")
    arms = [*values()["arms"], {**values()["arms"][1], "name": "longer", "set": {"steps": 3}}]
    result = benchmark(values(arms=arms, split={"kind": "cv", "folds": 3, "only": [0]}), corpus, to)
    assert result.finished == 4
    assert "longer" in result.tables.summary["arm"]


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"pretrain": {"steps": 3}}, "'supervised-s0-f0' was computed with other settings of its arm"),
        ({"split": {"kind": "cv", "folds": 3, "seed": 1}}, r"'split.seed': .* made with 0, got 1"),
        ({"split": {"kind": "cv", "folds": 4}}, "'split.folds'"),
        ({"unlabelled_sources": []}, "other unlabelled records"),
    ],
)
def test_cells_of_another_recipe_are_refused(finished, corpus, tmp_path, values, changes, says):
    to = copy(finished, tmp_path, "cells", "folds.csv", "manifest.json")
    (to / "cells/random-init-s0-f0.json").unlink()
    with pytest.raises(RecipeError, match=says):
        benchmark(values(**changes), corpus, to)


@pytest.mark.slow
def test_two_processes_share_the_cells(finished, corpus, tmp_path):
    to = tmp_path / "shared"
    result = benchmark(finished["values"], corpus, to, workers=2)
    assert result.finished == 9
    for path in to.glob("cells/*.json"):
        mine, before = (
            json.loads((folder / "cells" / path.name).read_text()) for folder in (to, finished["to"])
        )
        for task, part in mine["tasks"].items():
            assert part["records"] == before["tasks"][task]["records"]
            scores = [p["readouts"]["probe"]["scores"] for p in (part, before["tasks"][task])]
            np.testing.assert_allclose(
                *scores, atol=0.01
            )  # sums differ in the last digits with the number of threads
    assert not list(to.glob("cells/.*"))


def test_a_claimed_cell_is_left_to_the_other_process(finished, corpus, tmp_path):
    to = copy(finished, tmp_path, "cells", "folds.csv", "manifest.json")
    (to / "cells/simclr-s0-f1.json").unlink()
    with CellStore(to).claim(CellName("simclr", 0, 1)) as mine:
        assert mine
        result = benchmark(finished["values"], corpus, to)
    assert result.finished == 8
    assert "Not finished: 8 of 9 cells" in result.notes[0]
    assert "simclr" not in result.tables.summary["arm"]


def test_parts_split_and_one_task(corpus, values, tmp_path):
    recipe = values(
        split={"kind": "parts"}, tasks=values()["tasks"][:1], also_without=[], arms=values()["arms"][1:]
    )
    result = benchmark(recipe, corpus, tmp_path / "to")
    assert result.planned == 2  # random-init and simclr
    assert result.tables.summary["scope"].unique().to_list() == ["first"]
    assert set((tmp_path / "to/folds.csv").read_text().split(",")) >= {"train", "validation", "test"}


def test_notes_say_what_was_left_out(finished, corpus, values, tmp_path):
    assert any("do not" in n or "does not hold: absent" in n for n in finished["result"].notes)
    assert any("by fingerprint: 0" in n for n in finished["result"].notes)
    tasks = [{"name": "first", "vocabulary": "v", "labels": ["slow", "fast"], "min_positives": 14}]
    setting = open_setting(BenchmarkRecipe.of(values(tasks=tasks, also_without=[])), corpus, tmp_path / "to")
    assert setting.truth["first"][0] == ("fast",)
    assert json.loads((tmp_path / "to/manifest.json").read_text())["labels"]["first"]["dropped"] == {
        "slow": 12
    }


def test_supervised_trains_on_all_tasks_and_masks_what_is_not_labelled(corpus, values, tmp_path):
    setting = open_setting(BenchmarkRecipe.of(values()), corpus, tmp_path / "to")
    names, y = setting.joined
    assert names == ("first/slow", "first/fast", "second/any")
    alpha = (corpus.index["source"] == "alpha").to_numpy()
    assert np.isnan(y[alpha, 2]).all() and np.isnan(y[~alpha, :2]).all()


@pytest.mark.parametrize(
    ("task", "error", "says"),
    [
        ({"vocabulary": "none"}, ColumnMissing, "in this catalog: v, w"),
        (
            {"vocabulary": "v", "sources": ["delta"]},
            CorpusError,
            "none of its sources delta is in the corpus",
        ),
        ({"vocabulary": "v", "sources": ["beta"]}, CorpusError, "no record of its sources is labelled"),
        ({"vocabulary": "v", "min_positives": 50}, CorpusError, "one class only or too few"),
    ],
)
def test_tasks_that_cannot_be_asked_are_refused_before_anything_runs(
    corpus, values, tmp_path, task, error, says
):
    recipe = values(tasks=[{"name": "t", **task}], also_without=[])
    with pytest.raises(error, match=says):
        benchmark(recipe, corpus, tmp_path / "to")
    assert not list((tmp_path / "to").glob("cells/*.json"))


def test_a_leak_stops_the_cell_and_names_the_patient(finished, corpus, tmp_path):
    to = copy(finished, tmp_path, "folds.csv", "manifest.json")
    lines = (to / "folds.csv").read_text().splitlines()
    record, source, fold, *rest = lines[9].split(",")
    lines[9] = ",".join([record, source, str((int(fold) + 1) % 3), *rest])
    (to / "folds.csv").write_text("\n".join(lines) + "\n")
    with pytest.raises(SplitLeak, match="alpha/p") as caught:
        benchmark(finished["values"], corpus, to)
    assert "in cell" in caught.value.__notes__[-1]


@pytest.mark.parametrize("part", ["validation", "test"])
def test_what_the_trunk_learns_from_must_not_be_tested_on(corpus, values, tmp_path, part):
    recipe = BenchmarkRecipe.of(values(unlabelled_sources=[], trunk={"sources": ["gamma"], "share": 1.0}))
    setting = open_setting(recipe, corpus, tmp_path / "to")
    twin = next(r for r in setting.folds.parts(0)[part] if r.startswith("alpha"))
    setting.__dict__["outside"] = [*setting.outside, twin]
    with pytest.raises(SplitLeak, match=twin):
        compute_cell(setting, CellName("simclr", 0, 0))
    assert compute_cell(setting, CellName("random-init", 0, 0))["records"]["test"]  # it has no trunk


def test_a_corpus_without_labels_is_refused(corpus, values, tmp_path):
    class Bare:
        index = corpus.index.select(c for c in corpus.index.columns if not c.startswith("labels."))

    with pytest.raises(ColumnMissing, match="this catalog has no labels"):
        benchmark(values(), Bare(), tmp_path / "to")


def test_scores_are_stored_with_five_digits():
    assert rounded(np.array([0.123456789, 1.23456789e-5])).tolist() == [0.12346, 1.2346e-05]


def test_an_arm_may_have_fewer_seeds_than_the_recipe(corpus, values, tmp_path):
    arms = [{**values()["arms"][1], "seeds": [1]}]
    made = BenchmarkRecipe.of(values(seeds=[0, 1], arms=arms, split={"kind": "cv", "folds": 3, "only": [0]}))
    result = benchmark(made, corpus, tmp_path / "to")
    assert result.finished == result.planned == 3
    names = sorted(path.stem for path in (tmp_path / "to" / "cells").glob("*.json"))
    assert names == ["random-init-s0-f0", "random-init-s1-f0", "simclr-s1-f0"]
    seeds = dict(
        result.tables.summary.filter(scope="first", readout="probe").select("arm", "seeds").iter_rows()
    )
    assert seeds == {"random-init": 2, "simclr": 1}
    with pytest.raises(RecipeError, match=r"arm 'simclr': seed 7 is not among the recipe's \[0, 1\]"):
        BenchmarkRecipe.of(values(seeds=[0, 1], arms=[{**arms[0], "seeds": [7]}]))


def test_a_change_to_a_lead_that_nobody_has_is_refused_before_anything_runs(corpus, values, tmp_path):
    made = BenchmarkRecipe.of(values(changed=[{"name": "odd", "leads": ["I", "Z9"]}]))
    with pytest.raises(LeadMissing, match="lead 'Z9' of change 'odd' is not in the corpus"):
        open_setting(made, corpus, tmp_path / "to")
    assert not (tmp_path / "to").exists()
