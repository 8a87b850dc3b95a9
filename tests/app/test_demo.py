"""The demo: all stages for real on few ECGs, and what it does with a folder of sets."""

import json

import pytest

from ecgprior import lookup
from ecgprior.app.demo import _clear_of_other_versions, panel_of, run_demo
from ecgprior.encoders._build import build_encoder
from ecgprior.errors import CorpusError
from ecgprior.evaluation.plan import BenchmarkRecipe, resolve_arms
from ecgprior.objectives.base import Objective
from ecgprior.provenance import code_digest


def test_the_panel_on_what_is_there():
    recipe = panel_of(["ludb", "brugada", "sph"])
    assert [task.name for task in recipe.tasks] == ["brugada", "ludb"] and recipe.seeds == (0,)
    assert recipe.also_without == () and any("LUDB" in note for note in recipe.notes)
    assert recipe.unlabelled_sources == ("sph",)
    assert panel_of(["brugada"]).notes == ()
    assert panel_of(["ptbxl", "ptbxl100", "ningbo"]).unlabelled_sources == ("ningbo",)
    given = panel_of(["ludb", "sph"], ["seeds=[0, 1]", "against=random-init", "unlabelled_sources=[]"])
    assert (given.seeds, given.against, given.unlabelled_sources) == ((0, 1), "random-init", ())


def test_the_demo_and_the_panel_compare_the_same_arms_with_equal_encoder_passes():
    wanted = "features-linear features-trees physioclr random-init random-normed simclr supervised".split()
    for recipe in (BenchmarkRecipe.read("demo"), panel_of(["ptbxl"])):
        arms = {arm.name: arm for arm in resolve_arms(recipe)}
        assert sorted(arms) == wanted and recipe.against == "simclr"
        plans = {name: arms[name].recipe(0) for name in ("physioclr", "simclr")}
        assert _passes(plans["physioclr"]) == pytest.approx(_passes(plans["simclr"]), rel=1e-3)


def _passes(recipe):
    """Encoder passes of a run, as its objective counts them."""
    kind = lookup.method("objectives", recipe.objective["name"], Objective)
    plan = recipe.preprocessing
    encoder = build_encoder(recipe.encoder["name"], recipe.settings("encoder"), plan.leads, plan.fs)
    objective = kind(encoder, kind.Config.check(recipe.settings("objective")), ())
    return recipe.steps * recipe.batch * objective.passes


def test_no_labelled_set_is_refused_with_what_to_do():
    with pytest.raises(CorpusError, match="expected at least one of brugada, cinc2011, ludb, ptbxl"):
        panel_of(["sph", "code15"])


def test_a_folder_without_sets_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for data in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(CorpusError, match="data '"):
            run_demo(tmp_path / "demo", data=data, n=10, seed=0, workers=1)


def test_a_result_of_another_version_is_put_aside_and_ones_own_stays(tmp_path, capsys):
    result = tmp_path / "result"
    _clear_of_other_versions(result)
    result.mkdir()
    manifest = result / "manifest.json"
    for made_by, stays in ((code_digest(), True), ("0" * 64, False)):
        manifest.write_text(json.dumps({"provenance": {"code_sha256": made_by}}))
        _clear_of_other_versions(result)
        assert manifest.is_file() == stays
    assert (tmp_path / "result-000000000000" / "manifest.json").is_file()
    assert "of another version" in capsys.readouterr().out


@pytest.mark.slow
def test_the_whole_way_and_nothing_twice(tmp_path, capsys):
    values = ["pretrain.steps=2", "pretrain.batch=16", "replicates=20"]
    run_demo(tmp_path, data=None, n=200, seed=3, workers=1, values=values)
    first = capsys.readouterr().out
    for stage in ("simulate --n 200", "prepare simulated=", "features", "benchmark demo", "report"):
        assert f"$ ecgprior {stage}" in first
    assert "SIMULATED" in first and "peak memory" in first
    for system in ("random-init (linear probe)", "physioclr (linear", "features-trees (boosted trees)"):
        assert system in first
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Simulated ECGs, not patients" in html and "says nothing about patients" in html
    assert html.count('class="ecg"') == 4
    cells = {p: p.stat().st_mtime_ns for p in (tmp_path / "result/cells").glob("*.json")}
    assert len(cells) == 7
    run_demo(tmp_path, data=None, n=200, seed=3, workers=1, values=values)
    again = capsys.readouterr().out
    assert "holds these 200 ECGs already" in again
    assert cells == {p: p.stat().st_mtime_ns for p in (tmp_path / "result/cells").glob("*.json")}
