"""ECG paper: to scale, complete, and open about what is absent."""

import re
import xml.etree.ElementTree as ET

import numpy as np
import pytest

from ecgprior.app.plots.paper import plot_ecg
from ecgprior.errors import RecordError, RecordTooShort
from ecgprior.record.record import LEADS, Patient, Record

NUMBER = re.compile(r"-?(?:\d+\.?\d*|\.\d+)")
SVG = "{http://www.w3.org/2000/svg}"


def ecg(n_leads: int = 12, seconds: float = 10.0, fs: float = 500.0) -> Record:
    """Sines of 1 mV, another frequency each lead."""
    names = (*LEADS, "vx", "vy", "vz")[:n_leads]
    t = np.arange(round(seconds * fs)) / fs
    return Record(
        signal=[np.sin(2 * np.pi * (1 + i / 10) * t) for i in range(n_leads)], fs=fs, leads=names, name="x"
    )


def strokes(drawing: str, lead: str) -> list[np.ndarray]:
    """All strokes of a lead in drawing order, each (N, 2) in user units."""
    found = []
    for element in ET.fromstring(drawing).iter(f"{SVG}path"):
        if element.get("data-lead") == lead:
            for stroke in re.findall(r"M[^M]*", element.get("d")):
                numbers = [float(n) for n in NUMBER.findall(stroke.removesuffix("h0"))]
                found.append(np.cumsum(np.reshape(numbers, (-1, 2)), axis=0))
    return found


def texts(drawing: str) -> list[str]:
    return [element.text for element in ET.fromstring(drawing).iter(f"{SVG}text")]


def test_a_millivolt_is_ten_millimetres_and_a_second_twenty_five():
    square = np.tile(np.repeat([0.0, 1.0], [400, 100]), 10)  # 1 mV for 0.2 s each second
    record = Record(signal=np.tile(square, (12, 1)), fs=500, name="square")
    drawing = plot_ecg(record)
    root = ET.fromstring(drawing)
    x, y, width, height = map(float, root.get("viewBox").split())
    assert root.get("width") == f"{width:g}mm" and root.get("height") == f"{height:g}mm"  # one unit = one mm
    rhythm = strokes(drawing, "II")[-1]
    assert np.ptp(rhythm[:, 1]) == pytest.approx(10.0, abs=0.02)
    assert np.ptp(rhythm[:, 0]) == pytest.approx(25.0 * (10 - 1 / 500), abs=0.02)
    pulse = next(p.get("d") for p in root.iter(f"{SVG}path") if p.get("class") == "ecg-pulse")
    assert pulse.endswith("h1v-10h5v10h1")  # 1 mV high, 0.2 s wide


def test_grid_lines_lie_every_millimetre_and_every_five():
    root = ET.fromstring(plot_ecg(ecg()))
    paths = {p.get("class"): p.get("d") for p in root.iter(f"{SVG}path")}
    width = int(float(root.get("viewBox").split()[2]))
    minor = {int(x) for x in re.findall(r"M(\d+) 0v", paths["ecg-minor"])}
    major = {int(x) for x in re.findall(r"M(\d+) 0v", paths["ecg-major"])}
    assert minor | major == set(range(width + 1)) and major == set(range(0, width + 1, 5))


def test_three_by_four_and_a_rhythm_strip():
    drawing = plot_ecg(ecg())
    for lead in LEADS:
        assert len(strokes(drawing, lead)) == (2 if lead == "II" else 1)
        assert lead in texts(drawing)
    columns = [strokes(drawing, lead)[0][0, 0] for lead in ("I", "aVR", "V1", "V4")]
    assert np.diff(columns) == pytest.approx([62.5] * 3)  # 2.5 s each
    rows = [strokes(drawing, lead)[0] for lead in ("I", "II", "III")]
    assert all(a[:, 1].max() < b[:, 1].min() for a, b in zip(rows, rows[1:]))  # rows do not meet


def test_columns_are_consecutive_in_time():
    ramp = np.tile(np.linspace(-1, 1, 5000), (12, 1))
    drawing = plot_ecg(Record(signal=ramp, fs=500))
    starts = [strokes(drawing, lead)[0][0, 1] for lead in ("I", "aVR", "V1", "V4")]
    assert np.diff(starts) == pytest.approx([-5.0] * 3, abs=0.05)  # 0.5 mV a column, upwards is smaller y


def test_nothing_leaves_the_paper_and_names_stand_clear():
    signal = ecg().signal * np.linspace(0.1, 4.5, 12)[:, None]
    drawing = plot_ecg(Record(signal=signal, fs=500))
    root = ET.fromstring(drawing)
    paper = root.find(f"{SVG}rect")
    for lead in LEADS:
        for stroke in strokes(drawing, lead):
            assert 0 <= stroke[:, 1].min() and stroke[:, 1].max() <= float(paper.get("height"))
            assert 0 <= stroke[:, 0].min() and stroke[:, 0].max() <= float(paper.get("width"))
    names = {t.text: t for t in root.iter(f"{SVG}text") if t.get("class") == "ecg-lead"}
    for lead in LEADS[:1] + LEADS[2:]:
        stroke = strokes(drawing, lead)[0]
        near = stroke[stroke[:, 0] < float(names[lead].get("x")) + 6]
        assert float(names[lead].get("y")) < near[:, 1].min()


def test_absent_leads_are_said_and_never_drawn():
    signal = ecg().signal.copy()
    signal[8] = np.nan
    drawing = plot_ecg(Record(signal=signal, fs=500))
    assert "V3 absent" in texts(drawing) and strokes(drawing, "V3") == []
    only_limbs = plot_ecg(ecg(6))
    assert {f"V{i} absent" for i in range(1, 7)} <= set(texts(only_limbs))


def test_a_lead_that_is_silent_in_one_window_only_is_not_called_absent():
    signal = ecg().signal.copy()
    signal[6, 2500:3750] = np.nan
    assert "V1 not recorded here" in texts(plot_ecg(Record(signal=signal, fs=500)))


def test_nan_gaps_are_not_joined():
    signal = ecg().signal.copy()
    signal[1, 1000:1100] = np.nan
    signal[1, 1500] = np.inf
    gaps = [s[0, 0] for s in strokes(plot_ecg(Record(signal=signal, fs=500)), "II")]
    assert len(gaps) == 2 + 3  # column: 0–2, 2.2–2.5 s; strip: up to the gap, to the infinity, to the end


def test_the_rhythm_strip_falls_back_to_a_present_lead():
    record = ecg().pick([lead for lead in LEADS if lead != "II"])
    assert len(strokes(plot_ecg(record), "I")) == 2
    assert len(strokes(plot_ecg(ecg(), rhythm="V1"), "V1")) == 2


@pytest.mark.parametrize("n_leads", [1, 2, 3, 12, 15])
@pytest.mark.parametrize("seconds", [0.002, 1.0, 2.5, 7.3, 10.0, 60.0])
def test_any_number_of_leads_and_any_length_plots(n_leads, seconds):
    record = ecg(n_leads, seconds)
    drawing = plot_ecg(record)
    for lead in record.leads:
        assert strokes(drawing, lead), lead
    assert f"of {seconds:.4g} s" in texts(drawing)[-1]


def test_one_lead_of_a_minute_fills_six_strips():
    drawing = plot_ecg(ecg(1, 60.0))
    assert len(strokes(drawing, "I")) == 6 and "I from 50 s" in texts(drawing)


def test_a_short_record_says_when_its_columns_begin():
    said = texts(plot_ecg(ecg(12, 7.3)))
    assert "V4 from 4.8 s" in said and "aVR" in said


def test_an_artefact_is_cut_and_said():
    signal = ecg().signal.copy()
    signal[11, 4000:4010] = 11.0
    drawing = plot_ecg(Record(signal=signal, fs=500))
    assert "V6 (cut at ±5 mV)" in texts(drawing)
    assert np.ptp(strokes(drawing, "V6")[0][:, 1]) <= 100.0


def test_a_flat_or_empty_record_plots():
    assert strokes(plot_ecg(Record(signal=np.zeros((12, 5000)), fs=500)), "V6")
    drawing = plot_ecg(Record(signal=np.full((12, 5000), np.nan), fs=500))
    assert {f"{lead} absent" for lead in LEADS} <= set(texts(drawing))


def test_an_offset_of_millivolts_does_not_move_the_trace_off_the_paper():
    drawing = plot_ecg(ecg().with_(signal=ecg().signal + 40))
    assert not any("cut" in t for t in texts(drawing))


def test_header_and_footer_name_patient_rate_filter_and_escape():
    record = ecg(fs=250.0).with_(name="a<b&c", patient=Patient(sex="female", age=63.0))
    said = texts(plot_ecg(record, filter_text="high-pass 0.5 Hz"))
    assert "a<b&c" in said and "female, 63 years" in said
    assert "25 mm/s · 10 mm/mV · 250 Hz · high-pass 0.5 Hz" in said


def test_an_array_is_taken_with_fs_and_leads():
    pytest.importorskip("ecgprior.record.read")
    assert strokes(plot_ecg(np.zeros((2, 500)), fs=100, leads=("I", "II")), "II")


@pytest.mark.parametrize("window", [{"start_s": -1}, {"seconds": 0}, {"seconds": float("nan")}])
def test_an_impossible_window_is_refused(window):
    with pytest.raises(RecordError, match="expected start_s >= 0 and seconds > 0"):
        plot_ecg(ecg(), **window)
    with pytest.raises(RecordTooShort, match="expected less than the record's 10 s"):
        plot_ecg(ecg(), start_s=10)
