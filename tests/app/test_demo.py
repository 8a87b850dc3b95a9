"""The demo: all stages for real on few ECGs, and what it does with a folder of sets."""

import pytest

from ecgprior.app.demo import panel_of, run_demo
from ecgprior.errors import CorpusError


def test_the_panel_on_what_is_there():
    recipe = panel_of(["ludb", "brugada", "sph"])
    assert [task.name for task in recipe.tasks] == ["brugada", "ludb"] and recipe.seeds == (0,)
    assert recipe.arms[0].name == "random-init" and recipe.also_without == ()
    assert panel_of(["ludb"], ["seeds=[0, 1]"]).seeds == (0, 1)


def test_no_labelled_set_is_refused_with_what_to_do():
    with pytest.raises(CorpusError, match="expected at least one of brugada, cinc2011, ludb, ptbxl"):
        panel_of(["sph", "code15"])


def test_a_folder_without_sets_is_refused(tmp_path):
    (tmp_path / "empty").mkdir()
    for data in (tmp_path / "empty", tmp_path / "nowhere"):
        with pytest.raises(CorpusError, match="data '"):
            run_demo(tmp_path / "demo", data=data, n=10, seed=0, workers=1)


@pytest.mark.slow
def test_the_whole_way_and_nothing_twice(tmp_path, capsys):
    values = ["pretrain.steps=2", "pretrain.batch=16", "replicates=20"]
    run_demo(tmp_path, data=None, n=200, seed=3, workers=1, values=values)
    first = capsys.readouterr().out
    for stage in ("simulate --n 200", "prepare simulated=", "benchmark demo", "report"):
        assert f"$ ecgprior {stage}" in first
    assert "SIMULATED" in first and "random-init (linear probe)" in first and "peak memory" in first
    html = (tmp_path / "report.html").read_text(encoding="utf-8")
    assert "Simulated ECGs, not patients" in html and html.count('class="ecg"') == 4
    cells = {p: p.stat().st_mtime_ns for p in (tmp_path / "result/cells").glob("*.json")}
    assert len(cells) == 4
    run_demo(tmp_path, data=None, n=200, seed=3, workers=1, values=values)
    again = capsys.readouterr().out
    assert "holds these 200 ECGs already" in again
    assert cells == {p: p.stat().st_mtime_ns for p in (tmp_path / "result/cells").glob("*.json")}
