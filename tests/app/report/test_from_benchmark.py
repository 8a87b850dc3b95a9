"""From a result folder to a page."""

import dataclasses
import json
import re
import shutil

import polars as pl
import pytest

from ecgprior.app.report.from_benchmark import _arms, _star, report_of
from ecgprior.app.report.page import render
from ecgprior.app.report.recordings import examples, label_rows, source_rows
from ecgprior.errors import CorpusError

N = 60  # records of the corpus `sines`


@pytest.fixture
def corpus(sines):
    return sines


def test_the_headline_names_the_self_supervised_arm_and_what_came_out(result, corpus):
    report = report_of(result, corpus)
    assert report.headline.startswith(
        "A linear probe does better on SimCLR features than on a random encoder"
    )
    assert "macro AUROC 1.000 against 0." in report.headline
    assert f"{N} records of {N - N // 5} patients" in report.lead_in and "3 folds, 1 seed" in report.lead_in
    assert "Supervised 0." in report.lead_in


def test_arms_come_in_the_recipes_order_with_the_control_first(result, corpus):
    report = report_of(result, corpus)
    assert [arm.name for arm in report.arms] == ["random-init", "supervised", "supervised/head", "simclr"]
    assert [d.arm for d in report.differences] == ["supervised", "supervised/head", "simclr"]


def test_label_support_is_that_of_the_test_records(result, corpus):
    found = {
        label.label.split(" ")[0]: (label.positives, label.labelled)
        for label in report_of(result, corpus).labels
    }
    assert found == {"NORM": (30, N), "AF": (30, N), "LBBB": (15, N)}


def test_curves_are_those_of_the_runs(result, corpus):
    (chart,) = report_of(result, corpus).curves
    assert chart.title == "SimCLR: training loss" and chart.y_label == "3 runs, 40 training records"
    assert [curve.run for curve in chart.curves] == [f"seed 0, fold {k}" for k in range(3)]
    assert chart.curves[0].points[0] == (10.0, 3.9) and len(chart.curves[0].points) == 30


def test_without_runs_it_says_so(result, corpus, tmp_path):
    report = report_of(result, corpus, work=tmp_path)
    assert report.curves == () and any("curves are not shown" in note for note in report.notes)


def test_the_page_is_whole(result, corpus):
    html = render(report_of(result, corpus))
    for said in ("A test", "Sines", "250 Hz", "atrial fibrillation", "resampled from 250 Hz", corpus.digest):
        assert said in html, said
    assert "Simulated ECGs" not in html
    assert not re.search(r"https?:", html.replace('xmlns="http://www.w3.org/2000/svg"', ""))


def test_sources_and_labels_count_what_is_there(corpus):
    (row,) = source_rows(corpus)
    assert (row.title, row.records, row.patients, row.lengths, row.leads) == (
        "Sines",
        N,
        N - N // 5,
        "4 s",
        "12",
    )
    assert row.labels == "simulated (3)"
    assert [(r.code, r.positives) for r in label_rows(corpus, ["simulated", "no such"])] == [
        ("AF", 30),
        ("NORM", 30),
        ("LBBB", 15),
    ]


def test_labels_of_ones_own_stand_for_themselves(own_sines, finished, tmp_path):
    task = {"name": "sines", "vocabulary": "folder", "min_positives": 5}
    report = report_of(finished(own_sines, tmp_path, better="simclr", tasks=[task]), own_sines)
    assert {label.label for label in report.labels} == {"flutter (typical)", "12", "wide"}
    support = {row.code: (row.name, row.positives) for row in report.support}
    assert support == {"flutter (typical)": ("flutter (typical)", 30), "12": ("12", 30), "wide": ("wide", 15)}
    assert any(e.caption.endswith("folder: flutter (typical), wide.") for e in report.examples)
    assert "flutter (typical)" in render(report)


def test_examples_are_the_plainest_records_and_no_record_twice(corpus):
    shown = examples(corpus, [("simulated", "AF"), ("simulated", "LBBB"), ("simulated", "AF"), ("x", "y")])
    assert [e.caption.split(" –")[0] for e in shown] == ["sines/r00", "sines/r02", "sines/r04"]
    assert "AF · atrial fibrillation, LBBB · left bundle-branch block." in shown[1].caption
    assert len(examples(corpus, [("simulated", "AF")] * 9, most=2)) == 2


def test_a_folder_without_results_is_refused(tmp_path, corpus):
    with pytest.raises(
        CorpusError, match="expected manifest.json, which is not there – run ecgprior benchmark first"
    ):
        report_of(tmp_path, corpus)
    (tmp_path / "manifest.json").write_text("{")
    with pytest.raises(CorpusError, match="manifest.json of .* expected JSON"):
        report_of(tmp_path, corpus)


def test_a_corpus_of_other_records_is_refused(result, corpus, tmp_path):
    shutil.copytree(result, tmp_path / "r")
    folds = pl.read_csv(tmp_path / "r/folds.csv").with_columns(pl.col("record").str.replace("r", "q"))
    folds.write_csv(tmp_path / "r/folds.csv")
    with pytest.raises(CorpusError, match="is not in corpus"):
        report_of(tmp_path / "r", corpus)


def test_a_mixed_result_headline_does_not_claim(corpus, finished, tmp_path):
    report = report_of(finished(corpus, tmp_path, better="nobody"), corpus)
    assert (
        "cannot be told from" in report.headline or "worse" in report.headline or "better" in report.headline
    )
    gap = next(d.value for d in report.differences if d.arm == "simclr")
    assert ("cannot be told" in report.headline) == (gap.low <= 0 <= gap.high)


def test_a_primary_contrast_is_the_headline(corpus, finished, tmp_path):
    report = report_of(finished(corpus, tmp_path, better="simclr", primary=["simclr", "supervised"]), corpus)
    assert re.fullmatch(
        r"SimCLR does better than Supervised \(macro AUROC 1\.000 against 0\.\d+\)\.", report.headline
    )
    figures = r"Difference \+0\.\d+ \(\+0\.\d+ to \+0\.\d+\), p = 0\.049, in a comparison named before"  # 2 / (1 + 40 replicates)
    assert re.match(figures, report.lead_in) and "in the recipe. Measured on 60 records" in report.lead_in
    assert report.contrasts.primary.against == "Supervised"
    assert [c.against for c in report.contrasts.others] == ["Random encoder"]
    html = render(report)
    assert "SimCLR against each of the others" in html and "<h3>Paired differences" not in html
    assert report.cost.rows[0][1] == "128" and report.panel is None and report.efficiency is None


def edited(result, to, **recipe):
    """A copy of a result with another recipe in its manifest."""
    shutil.copytree(result, to)
    manifest = json.loads((to / "manifest.json").read_text())
    manifest["recipe"] |= recipe
    (to / "manifest.json").write_text(json.dumps(manifest))
    return to


def test_on_simulated_ecgs_the_first_note_stands_under_the_headline_and_only_there(result, corpus, tmp_path):
    from ecgprior.app.report import from_benchmark

    said = ["What the figures mean.", "Something else."]
    to = edited(result, tmp_path / "r", notes=said)
    found = json.loads((to / "results.json").read_text())
    (to / "results.json").write_text(json.dumps(found | {"notes": said}))
    real = report_of(to, corpus)
    assert real.caution == "" and set(said) <= set(real.notes)
    with pytest.MonkeyPatch.context() as patch:
        rows = [dataclasses.replace(row, name="simulated") for row in source_rows(corpus)]
        patch.setattr(from_benchmark, "source_rows", lambda corpus: rows)
        report = report_of(to, corpus)
    assert report.caution == said[0] and said[0] not in report.notes and said[1] in report.notes
    html = render(report).partition("<pre>")[0]  # before the recipe
    assert (
        html.index("</h1>") < html.index(said[0]) < html.index('class="lead-in"') and html.count(said[0]) == 1
    )


@pytest.mark.parametrize(
    ("trunk", "said"),
    [
        (None, "trained on the training part of each split."),
        (
            {"share": 0.7},
            "spent 70 % of their steps on sines, common to all splits and without a record of the tested",
        ),
        ({"share": 1.0}, "trained on sines alone: no record of the tested sets"),
    ],
)
def test_the_notes_say_what_the_encoders_learnt_from(result, corpus, tmp_path, trunk, said):
    to = edited(result, tmp_path / "r", trunk=trunk and trunk | {"sources": ["sines", "absent"]})
    report = report_of(to, corpus)
    (note,) = [note for note in report.notes if note.startswith("Self-supervised encoders")]
    assert said in note and "absent" not in note
    assert ("after the common trunk" in report.curves_about) == (trunk is not None)


def test_an_arm_whose_weights_stay_as_they_are_has_no_curve_and_says_so(result, corpus, tmp_path):
    recipe = json.loads((result / "manifest.json").read_text())["recipe"]
    for arm in recipe["arms"]:
        if arm["name"] == "simclr":
            arm["control"] = True
            arm["pretrain_values"]["optimiser"] = {"lr": 1e-12}
    to = edited(result, tmp_path / "r", arms=recipe["arms"])
    (to / "work").exists() or shutil.copytree(result / "work", to / "work")
    report = report_of(to, corpus)
    assert report.curves == () and report_of(result, corpus).curves != ()
    assert next(arm.text for arm in report.arms if arm.name == "simclr") == "a control: no weight was trained"


def test_a_result_without_a_finished_arm_is_a_page_all_the_same(result, corpus, tmp_path):
    to = edited(result, tmp_path / "r")
    found = json.loads((to / "results.json").read_text())
    (to / "results.json").write_text(json.dumps(found | {"summary": [], "labels": [], "contrasts": []}))
    assert "no arm is finished yet" in render(report_of(to, corpus))


def test_other_readouts_leave_the_arms_and_tasks_as_they_are(result, corpus, tmp_path):
    to = tmp_path / "r"
    shutil.copytree(result, to)
    found = json.loads((to / "results.json").read_text())
    probes = [row for row in found["summary"] if row["readout"] == "probe"]
    found["summary"] += [
        row | {"readout": name, "auroc": 0.111} for row in probes for name in ("knn", "probe:noise")
    ]
    (to / "results.json").write_text(json.dumps(found))
    before, after = report_of(result, corpus), report_of(to, corpus)
    assert (
        after.arms == before.arms and after.tasks == before.tasks and after.differences == before.differences
    )
    assert after.readouts is not None and before.readouts is None


def test_an_arm_on_measured_features_is_named_as_such_and_is_no_headline():
    plain = {
        "train": True,
        "control": False,
        "features": None,
        "pretrain_values": {"objective": {"name": "simclr"}},
    }
    arms = [
        {"name": "features-trees", **plain, "features": "trees", "pretrain_values": {"max_iter": 200}},
        {"name": "features-linear", **plain, "features": "linear", "pretrain_values": {}},
        {"name": "simclr", **plain},
    ]
    readouts = {"features-trees": "trees", "features-linear": "probe", "simclr": "probe"}
    shown = _arms([{"arm": arm, "readout": readout} for arm, readout in readouts.items()], {"arms": arms})
    assert [arm.name for arm in shown] == ["features-trees/trees", "features-linear", "simclr"]
    assert "boosted trees on the measured features" in shown[0].text and "linear probe" in shown[1].text
    assert _star(shown, {"arms": arms}).name == "simclr"
