"""A drawing of :mod:`.paper` as SVG, PNG or PDF, by the suffix of the file; all three have the same size in mm.

PNG and PDF are drawn by Matplotlib from the SVG itself, so there is one paper and no second layout. Only what
:mod:`.paper` draws is understood: ``rect``, ``path`` of straight lines (M m L l H h V v z) and ``text``.
"""

from __future__ import annotations

import io
import re
import xml.etree.ElementTree as ET
from pathlib import Path
from typing import Any

from ...errors import RecordError
from ...provenance import atomic_open

SUFFIXES = (".svg", ".png", ".pdf")
_MM = 1 / 25.4  # inches
_POINTS = 72 / 25.4  # points a mm
_TOKEN = re.compile(r"[MmLlHhVvZz]|-?(?:\d+\.?\d*|\.\d+)(?:e-?\d+)?")
_FONTS = ["Helvetica Neue", "Helvetica", "Arial", "Liberation Sans", "DejaVu Sans"]


def check_suffix(path: Path) -> None:
    """Refuse a file name that is none of the three kinds.

    Raises
    ------
    RecordError
    """
    if path.suffix.casefold() not in SUFFIXES:
        raise RecordError(f"picture '{path}': expected a name that ends in .svg, .png or .pdf")


def write_picture(drawing: str, path: str | Path, dpi: int = 200) -> Path:
    """Write a drawing, whole or not at all.

    Parameters
    ----------
    drawing : str
        SVG of :func:`~ecgprior.app.plots.paper.plot_ecg`.
    path : str or Path
    dpi : int
        Of a PNG.

    Raises
    ------
    RecordError
        Another suffix than .svg, .png and .pdf.
    """
    path = Path(path)
    check_suffix(path)
    kind = path.suffix.casefold()[1:]
    data = drawing.encode() if kind == "svg" else _rendered(drawing, kind, dpi)
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_open(path, "wb") as file:
        file.write(data)
    return path


def _rendered(drawing: str, kind: str, dpi: int) -> bytes:
    import logging

    import matplotlib
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # fonts that this machine lacks
    root = ET.fromstring(drawing)
    left, top, width, height = (float(v) for v in root.attrib["viewBox"].split())
    about = {"Creator": "ecgprior", "CreationDate": None} if kind == "pdf" else {"Software": "ecgprior"}
    with matplotlib.rc_context({"font.family": _FONTS, "pdf.fonttype": 42, "path.simplify": False}):
        figure = Figure(figsize=(width * _MM, height * _MM), dpi=dpi, facecolor="white")
        FigureCanvasAgg(figure)
        axes = figure.add_axes((0, 0, 1, 1))
        axes.set_xlim(left, left + width)
        axes.set_ylim(top + height, top)
        axes.set_axis_off()
        for order, element in enumerate(root):
            _draw(axes, element, order)
        out = io.BytesIO()
        figure.savefig(out, format=kind, dpi=dpi, metadata=about)
    return out.getvalue()


def _draw(axes: Any, element: ET.Element, order: int) -> None:
    from matplotlib.patches import PathPatch, Rectangle

    tag, said = element.tag.rpartition("}")[2], element.attrib
    if tag == "text":
        _text(axes, element, order)
        return
    paint: dict[str, Any] = {
        "facecolor": said.get("fill", "none"),
        "edgecolor": said.get("stroke", "none"),
        "linewidth": float(said.get("stroke-width", 0)) * _POINTS,
        "capstyle": said.get("stroke-linecap", "butt"),
        "joinstyle": said.get("stroke-linejoin", "miter"),
        "zorder": order,
    }
    if "stroke-opacity" in said:
        paint["alpha"] = float(said["stroke-opacity"])
    if "stroke-dasharray" in said:
        unit = float(said["stroke-width"])
        paint["linestyle"] = (0, tuple(float(v) / unit for v in said["stroke-dasharray"].split()))
    if tag == "rect":
        corner = (float(said.get("x", 0)), float(said.get("y", 0)))
        axes.add_patch(Rectangle(corner, float(said["width"]), float(said["height"]), **paint))
    elif tag == "path":
        axes.add_patch(PathPatch(_path(said["d"]), **paint))


def _text(axes: Any, element: ET.Element, order: int) -> None:
    from matplotlib.patheffects import withStroke

    said = element.attrib
    halo = []
    if "stroke" in said:
        halo = [withStroke(linewidth=float(said["stroke-width"]) * _POINTS, foreground=said["stroke"])]
    axes.text(
        float(said["x"]),
        float(said["y"]),
        (element.text or "").replace("$", r"\$"),
        fontsize=float(said["font-size"]) * _POINTS,
        ha={"start": "left", "middle": "center", "end": "right"}[said.get("text-anchor", "start")],
        va="baseline",
        weight=int(said.get("font-weight", 400)),
        color=said.get("fill", "black"),
        path_effects=halo,
        zorder=order,
    )


def _path(d: str) -> Any:
    """A path of straight lines, in the drawing's units."""
    from matplotlib.path import Path as Lines

    vertices: list[tuple[float, float]] = []
    codes: list[Any] = []
    tokens = _TOKEN.findall(d)
    at, command, x, y, start = 0, "M", 0.0, 0.0, (0.0, 0.0)
    while at < len(tokens):
        if tokens[at].isalpha():
            command = tokens[at]
            at += 1
        kind, relative = command.upper(), command.islower()
        if kind == "Z":
            (x, y), code = start, Lines.CLOSEPOLY
        else:
            code = Lines.MOVETO if kind == "M" else Lines.LINETO
            dx, dy = (x, y) if relative else (0.0, 0.0)
            if kind in "ML":
                x, y = dx + float(tokens[at]), dy + float(tokens[at + 1])
            elif kind == "H":
                x = dx + float(tokens[at])
            else:
                y = dy + float(tokens[at])
            at += 2 if kind in "ML" else 1
            if kind == "M":
                start, command = (x, y), "l" if relative else "L"
        vertices.append((x, y))
        codes.append(code)
    return Lines(vertices, codes)
