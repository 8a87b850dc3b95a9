"""PNG and PDF are drawn from the SVG, at its size, with its strokes where they are."""

import io
import re

import matplotlib.image
import numpy as np
import pytest

from ecgprior.app.plots.paper import plot_ecg
from ecgprior.app.plots.picture import _path, write_picture
from ecgprior.app.plots.trace import path
from ecgprior.errors import RecordError
from ecgprior.record.record import Record
from ecgprior.simulator.simulate import simulate


def test_a_png_has_the_papers_size_and_colours(tmp_path):
    ecg = next(simulate(1, seed=1))
    drawing = plot_ecg(ecg.record, waves=ecg.delineation, title="costs $5 & more")
    width, height = (float(v) for v in re.search(r'width="([\d.]+)mm" height="([\d.]+)mm"', drawing).groups())
    png = write_picture(drawing, tmp_path / "new" / "x.png", dpi=100).read_bytes()
    pixels = matplotlib.image.imread(io.BytesIO(png), format="png")[..., :3]
    assert pixels.shape[:2] == pytest.approx((height / 25.4 * 100, width / 25.4 * 100), abs=1.5)
    dark = (pixels < 0.3).all(axis=2)
    blue = (pixels[..., 2] - pixels[..., 0]) > 0.2
    assert dark.mean() > 0.005 and blue.mean() > 0.0005


def test_the_trace_is_where_the_samples_are(tmp_path):
    step = np.repeat([0.0, 1.0], 250)
    drawing = plot_ecg(Record(signal=step[None], fs=100, leads=["II"]), title="")
    png = write_picture(drawing, tmp_path / "x.png", dpi=254).read_bytes()  # ten pixels a mm
    pixels = matplotlib.image.imread(io.BytesIO(png), format="png")[..., :3]
    dark = (pixels < 0.35).all(axis=2)
    assert dark[:, 10 * (10 + 62) - 150].any()
    x_low, x_high = 10 * 40, 10 * 100  # 1.2 s and 3.6 s
    low = np.flatnonzero(dark[100:-80, x_low]).mean()
    high = np.flatnonzero(dark[100:-80, x_high]).mean()
    assert low - high == pytest.approx(100, abs=2)  # 1 mV = 10 mm


def test_paths_are_read_as_they_are_written():
    rng = np.random.default_rng(0)
    x, y = np.arange(50) * 0.37, rng.normal(size=50)
    y[20:25] = np.nan
    read = _path(path(x, y, 0.0))
    kept = np.isfinite(y)
    np.testing.assert_allclose(read.vertices, np.column_stack([x, y])[kept], atol=0.011)
    assert (read.codes == 1).sum() == 2
    box = _path("M1 2H5v3H1zm2 0l1-.5.5 1e-2")
    np.testing.assert_allclose(
        box.vertices, [(1, 2), (5, 2), (5, 5), (1, 5), (1, 2), (3, 2), (4, 1.5), (4.5, 1.51)]
    )


def test_svg_and_pdf_are_whole_and_another_suffix_is_refused(tmp_path):
    drawing = plot_ecg(Record(signal=np.zeros((1, 500)), fs=500, leads=["II"]))
    assert write_picture(drawing, tmp_path / "x.svg").read_text() == drawing
    pdf = write_picture(drawing, tmp_path / "x.PDF").read_bytes()
    assert pdf.startswith(b"%PDF") and pdf.rstrip().endswith(b"%%EOF")
    with pytest.raises(RecordError, match="ends in .svg, .png or .pdf"):
        write_picture(drawing, tmp_path / "x.jpg")
