"""What a corpus holds, for a report: sources, labels with their support, and ECGs to look at."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from ...corpus.labels import label_matrix, vocabulary, vocabulary_names, vocabulary_of
from ...corpus.shards import Corpus
from ..plots.paper import plot_ecg
from .content import Example, LabelRow, SourceRow


def short_title(title: str, name: str = "") -> str:
    """A source's title without its explanation; its `name` where that is a short one and the title long.

    >>> short_title("PTB-XL, a large publicly available electrocardiography dataset")
    'PTB-XL'
    >>> short_title("Lobachevsky University Electrocardiography Database", "ludb")
    'LUDB'
    """
    short = re.split(r"[:,(]", title, maxsplit=1)[0].strip()
    return name.upper() if len(short) > 30 and 0 < len(name) <= 5 else short


def source_rows(corpus: Corpus) -> tuple[SourceRow, ...]:
    """A line a source, in the order in which they were prepared."""
    known = {entry["name"]: entry for entry in corpus.manifest["sources"]}
    rows = []
    for name in corpus.index["source"].unique(maintain_order=True):
        own, facts = corpus.index.filter(pl.col("source") == name), known.get(name, {})
        patients = own["patient"].drop_nulls().n_unique()
        rows.append(
            SourceRow(
                name=name,
                title=short_title(facts.get("title", name)),
                records=own.height,
                patients=patients or None,
                hours=float(own["seconds"].sum()) / 3600,
                rates=_span(own["fs_source"], "Hz"),
                lengths=_span(own["seconds"], "s"),
                leads=_leads(own["leads"].to_list()),
                labels=", ".join(_labels(own, name)),
                licence=facts.get("licence", ""),
            )
        )
    return tuple(rows)


def label_rows(corpus: Corpus, vocabularies: Iterable[str]) -> tuple[LabelRow, ...]:
    """The codes that occur of some vocabularies, most frequent first; a code counts where one below it does."""
    rows = []
    for name in dict.fromkeys(vocabularies):
        if f"labels.{name}" not in corpus.index.columns:
            continue
        known = vocabulary_of(corpus.index, name)
        y = label_matrix(corpus.index, name)
        labelled = int((~np.isnan(y)).any(axis=1).sum())
        found = sorted(zip((-(y == 1).sum(axis=0)).tolist(), known.codes, known.names))
        rows += [LabelRow(name, code, text, -n, labelled) for n, code, text in found if n]
    return tuple(rows)


def label_title(name: str, label: str) -> str:
    """A label as a person reads it in little room: its code and meaning, or the one that says it alone.

    Of a vocabulary of one's own the code says it alone.

    >>> label_title("cinc2021", "164889003"), label_title("ptbxl_superclass", "HYP")
    ('atrial fibrillation', 'HYP · hypertrophy')
    >>> label_title("cinc2011_quality", "unacceptable"), label_title("ludb", "no such code")
    ('unacceptable', 'no such code')
    """
    if name not in vocabulary_names():
        return label
    known = vocabulary(name)
    whole = dict(zip(known.codes, known.names)).get(label, label)
    meaning = re.split(r"[:(]", whole, maxsplit=1)[0].strip()
    if label.isdigit() or meaning.casefold() == label.casefold():
        return meaning
    if label.islower():  # a word, not an abbreviation
        return meaning if len(meaning) <= 30 else label
    return f"{label} · {meaning}"


def examples(corpus: Corpus, wanted: Sequence[tuple[str, str]], most: int = 4) -> tuple[Example, ...]:
    """ECGs on paper, one for each (vocabulary, code) until there are `most`.

    The record with this label and the fewest others is taken, the first by name among equals, so that the
    same corpus always shows the same ECGs; nothing is chosen by how well a model does on it.
    """
    chosen: list[tuple[str, str, str]] = []
    for name, code in wanted:
        column = f"labels.{name}"
        if len(chosen) == most or column not in corpus.index.columns:
            continue
        has = corpus.index.filter(pl.col(column).list.contains(code)).sort(
            pl.col(column).list.len(), "record"
        )
        record = next((r for r in has["record"] if r not in {c[0] for c in chosen}), None)
        if record is not None:
            chosen.append((record, name, code))
    return tuple(_example(corpus, record, name) for record, name, _ in chosen)


def _example(corpus: Corpus, name: str, labelled: str) -> Example:
    (row,) = corpus.rows([name])
    info = corpus.index.row(row, named=True)
    record = corpus.record(row)
    text = "no filter"
    if abs(info["fs_source"] - corpus.fs) > 1e-6:
        text = f"no filter, resampled from {info['fs_source']:g} Hz"
    codes = info[f"labels.{labelled}"] or []
    said = ", ".join(label_title(labelled, code) for code in codes) or "none applies"
    title = f"{name} – simulated, not a patient" if info["source"] == "simulated" else name
    return Example(plot_ecg(record, title=title, filter_text=text), f"{name} – {labelled}: {said}.")


def _span(values: pl.Series, unit: str) -> str:
    """The smallest and the largest, as far as a reader needs them."""
    ends = [float(v) for v in np.quantile(values.to_numpy(), [0, 1])]
    low, high = (f"{v:.0f}" if v >= 100 else f"{float(f'{v:.2g}'):g}" for v in ends)
    return f"{low} {unit}" if low == high else f"{low}–{high} {unit}"


def _leads(stored: list[list[str]]) -> str:
    sets = {tuple(leads) for leads in stored}
    if len(sets) == 1 and len(only := next(iter(sets))) <= 3:
        return ", ".join(only)
    counts = sorted({len(leads) for leads in sets})
    return f"{counts[0]}" if len(counts) == 1 else f"{counts[0]}–{counts[-1]}"


def _labels(own: pl.DataFrame, source: str) -> list[str]:
    """Each vocabulary in which records of a source are labelled, with the number of codes that occur."""
    found = []
    for column in (c for c in own.columns if c.startswith("labels.")):
        if own[column].null_count() < own.height:
            name = column.removeprefix("labels.")
            n = own[column].drop_nulls().explode().drop_nulls().n_unique()
            found.append(f"{name.removeprefix(source + '_')} ({n})")
    return found
