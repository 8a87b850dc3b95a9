"""Splits: the publisher's parts where there are any, else patients dealt out with their labels in proportion.

No patient, and no recording under two names, lies in two parts; that is checked after every split and may be checked
again before every use (:func:`check_leaks`). A record without a patient id counts as its own patient, and the
manifest says how many there are. The manifest also holds the seed, a hash of what was split, and a digest of the
record–fold pairs, so that a changed fold file is noticed.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
import polars as pl

from ..errors import ColumnMissing, CorpusError, SplitLeak, nearest, where
from ..provenance import digest_json, digest_pairs, provenance, sha256, write_json
from . import duplicates
from ._groups import counts_of, groups_of
from ._parts import PARTS, parted, published_rules
from ._stratify import stratify
from ._write import write_csv, writing
from .catalog import LABELS
from .shards import Corpus
from .sources.base import PublishedFolds

VERSION = 1

Kind = Literal["published", "random", "mixed", "cv"]


@dataclass(frozen=True)
class Split:
    """Which fold each record is in, and which folds make which part.

    Attributes
    ----------
    fold : polars.DataFrame
        ``record`` (String) and ``fold`` (Int32), in the order of the index.
    kind : {"published", "random", "mixed", "cv"}
        The publisher's folds; patients dealt out 8 : 1 : 1; some sources one way and some the other; or folds for
        cross-validation.
    manifest : dict
        Seed, hash of the input, rules, counts, digest of the pairs, provenance.
    """

    fold: pl.DataFrame
    kind: Kind
    manifest: dict[str, Any]

    @property
    def n_folds(self) -> int:
        """Folds of a cross-validation."""
        return int(self.manifest["n_folds"])

    def parts(self) -> dict[str, list[str]]:
        """Records of ``train``, ``validation`` and ``test``.

        Raises
        ------
        CorpusError
            The split is for cross-validation and has no fixed parts.
        """
        if self.kind == "cv":
            raise CorpusError(
                "this split is a cross-validation: expected a test fold to be named – use cv_parts(fold)"
            )
        rules = self.manifest["parts"]
        part = {
            (source, fold): name for source, rule in rules.items() for name in PARTS for fold in rule[name]
        }
        found: dict[str, list[str]] = {name: [] for name in PARTS}
        for record, fold in self.fold.iter_rows():
            found[part[record.split("/", 1)[0], fold]].append(record)
        return found

    def cv_parts(self, test_fold: int) -> dict[str, list[str]]:
        """Records of ``test`` (this fold), ``validation`` (the next one, after the last the first) and ``train``.

        Raises
        ------
        CorpusError
            Not a cross-validation, or no such fold.
        """
        if self.kind != "cv":
            raise CorpusError(
                f"this split is '{self.kind}', not a cross-validation: use parts(), or make one with --cv 5"
            )
        if not 0 <= test_fold < self.n_folds:
            raise CorpusError(f"test fold: expected 0 to {self.n_folds - 1}, got {test_fold}")
        name = {test_fold: "test", (test_fold + 1) % self.n_folds: "validation"}
        found: dict[str, list[str]] = {part: [] for part in PARTS}
        for record, fold in self.fold.iter_rows():
            found[name.get(fold, "train")].append(record)
        return found

    def save(self, path: str | Path) -> Path:
        """Write ``NAME.csv`` (record, fold) and, last, ``NAME.json`` (the manifest)."""
        path = Path(path)
        if path.suffix != ".csv":
            raise CorpusError(f"fold file '{path}': expected a name that ends in .csv")
        with writing(path.parent):
            path.parent.mkdir(parents=True, exist_ok=True)
            write_csv(path, self.fold)
            write_json(path.with_suffix(".json"), self.manifest)
        return path

    @classmethod
    def load(cls, path: str | Path, *, check: bool = True) -> Split:
        """Read what :meth:`save` wrote.

        Parameters
        ----------
        path : path
            The ``.csv`` file; its manifest lies beside it.
        check : bool
            Refuse a fold file that was changed after it was written.

        Raises
        ------
        CorpusError
            A file is missing or broken, of another version, or does not match its manifest.
        """
        path = Path(path)
        with where(f"fold file '{path}'"):
            for file in (path, path.with_suffix(".json")):
                if not file.is_file():
                    raise CorpusError(
                        f"'{file.name}' is not there: expected what 'ecgprior split --to' wrote"
                    )
            try:
                manifest = json.loads(path.with_suffix(".json").read_text(encoding="utf-8"))
                fold = pl.read_csv(path, schema={"record": pl.String, "fold": pl.Int32})
            except (ValueError, pl.exceptions.PolarsError) as error:
                raise CorpusError(
                    f"expected columns record,fold and a JSON manifest beside, got {error}"
                ) from None
            if not isinstance(manifest, dict) or manifest.get("kind") != "ecgprior-split":
                raise CorpusError(
                    "the manifest is not that of a split: expected what 'ecgprior split --to' wrote"
                )
            if manifest.get("format_version") != VERSION:
                raise CorpusError(
                    f"format_version: expected {VERSION}, got {manifest.get('format_version')!r}"
                )
            if check and digest_pairs(fold.iter_rows()) != manifest["digest"]:
                raise CorpusError(
                    "the records or folds were changed after the split: expected the manifest's digest"
                )
        return cls(fold, manifest["how"], manifest)


def split(
    index: pl.DataFrame | Corpus | str | Path,
    *,
    cv: int | None = None,
    labels: str | Sequence[str] | None = None,
    seed: int = 0,
    published: Mapping[str, PublishedFolds] | None = None,
) -> Split:
    """Split a corpus, or any table with the columns of a catalog.

    Parameters
    ----------
    index : Corpus, path of one, or polars.DataFrame
        ``record``, ``source``, ``patient``, ``fold``, ``labels.*``; ``fingerprint`` when there is one.
    cv : int, optional
        That many folds for cross-validation, at least 3; the publishers' folds are not looked at.
    labels : str or sequence of str, optional
        Vocabularies whose codes are kept in proportion; all by default. Sources are always kept in proportion.
    seed : int
        Decides ties among patients.
    published : mapping of str to PublishedFolds, optional
        Which published fold is for what; by default what the sources say.

    Raises
    ------
    CorpusError
        A published validation or test fold is empty here; or there are fewer patients than folds; or no corpus.
    ColumnMissing
        No such vocabulary here.
    SplitLeak
        The publisher's folds hold a patient or a recording twice.
    """
    index = index if isinstance(index, Corpus | pl.DataFrame) else Corpus(index)
    table = index.index if isinstance(index, Corpus) else index
    _require(table)
    rules: dict[str, dict[str, list[int]]] = {}
    groups = groups_of(table)
    counts = counts_of(table, groups, _vocabularies(table, labels))
    rng = np.random.Generator(np.random.PCG64(seed))
    kind: Kind = "cv"
    if cv is None:
        fold, rules, kind = parted(table, groups, counts, published_rules(table, published), rng)
    else:
        _enough(counts.shape[0], cv)
        fold = stratify(counts, np.full(cv, 1 / cv), rng)[groups]
    frame = table.select("record").with_columns(fold=pl.Series(fold, dtype=pl.Int32))
    facts = {
        "kind": "ecgprior-split",
        "format_version": VERSION,
        "how": kind,
        "n_folds": cv or len(PARTS),
        "seed": seed,
        "labels": _vocabularies(table, labels),
        "parts": rules,
        "n_records": table.height,
        "n_patients": table["patient"].drop_nulls().n_unique(),
        "n_without_patient": table["patient"].null_count(),
        "inputs": {
            "catalog": input_digest(table),
            "corpus": index.digest if isinstance(index, Corpus) else None,
        },
        "digest": digest_pairs(frame.iter_rows()),
        "provenance": provenance(),
    }
    made = Split(frame, kind, facts)
    check_leaks(made.parts() if cv is None else _by_fold(frame), index)
    return made


def check_leaks(parts: Mapping[str, Sequence[str]], index: pl.DataFrame | Corpus) -> None:
    """Refuse parts that share a record, a patient, or a recording under two names.

    Parameters
    ----------
    parts : mapping of str to sequence of str
        Records of each part. Records in no part do not matter.
    index : Corpus or polars.DataFrame
        A table has ``record``, ``patient`` and, for recordings under two names, ``fingerprint``; a corpus is also
        asked for the signals of those whose fingerprints are near.

    Raises
    ------
    SplitLeak
        Names up to three of them, and the parts.
    CorpusError
        A record is not in the index.
    """
    corpus, index = (index, index.index) if isinstance(index, Corpus) else (None, index)
    table = pl.concat(
        pl.DataFrame({"record": list(records)}, schema={"record": pl.String}).with_columns(part=pl.lit(name))
        for name, records in parts.items()
    )
    double = table.filter(pl.col("record").n_unique().over("record") < pl.len().over("record"))
    if double.height:
        raise SplitLeak(
            f"record {_listed(double['record'])} lies in two parts, or twice in one: expected every one once"
        )
    unknown = table.join(index, on="record", how="anti")["record"]
    if len(unknown):
        raise CorpusError(
            f"record '{unknown[0]}' is not in the corpus.{nearest(unknown[0], index['record'])}"
        )
    columns = [name for name in ("patient", "fingerprint") if name in index.columns]
    table = table.join(index.select("record", *columns), on="record", how="left", maintain_order="left")
    shared = table.drop_nulls("patient").filter(pl.col("part").n_unique().over("patient") > 1)
    if shared.height:
        both = sorted(set(shared["part"]))
        raise SplitLeak(
            f"patient {_listed(shared['patient'])} has records in {' and '.join(both)}: expected every patient in one "
            f"part ({_listed(shared['record'])}) – split again with 'ecgprior split'"
        )
    if "fingerprint" in columns:
        _check_twins(table, corpus)


def _check_twins(table: pl.DataFrame, corpus: Corpus | None) -> None:
    part, sketches, names = table["part"].to_numpy(), table["fingerprint"].to_numpy(), table["record"]
    for name in table["part"].unique(maintain_order=True).to_list()[:-1]:
        mine, others = np.flatnonzero(part == name), np.flatnonzero(part != name)
        twin = duplicates.twins(sketches[mine], sketches[others])
        pairs = [(names[int(mine[i])], names[int(others[twin[i]])]) for i in np.flatnonzero(twin >= 0)]
        if corpus is not None:
            pairs = [pair for pair in pairs if _same(corpus, *corpus.rows(pair))]
        if pairs:
            a, b = pairs[0]
            raise SplitLeak(
                f"record '{a}' in {name} and '{b}' in another part are the same recording ({len(pairs)} such in all): "
                "expected every recording in one part – split again with 'ecgprior split'"
            )


def _same(corpus: Corpus, a: int, b: int) -> bool:
    stop = int(np.ceil(duplicates.SECONDS * corpus.fs))
    first, second = corpus.signal(a, 0, stop), corpus.signal(b, 0, stop)
    return duplicates.correlation(first, corpus.fs, second, corpus.fs) > duplicates.CORRELATION


def input_digest(table: pl.DataFrame) -> str:
    """SHA-256 of what a split depends on: each record's source, patient, published fold and labels."""
    names = ["record", "source", "patient", "fold", *sorted(c for c in table.columns if c.startswith(LABELS))]
    rows = table.select(name for name in names if name in table.columns).sort("record")
    return digest_json([sha256(piece.write_ndjson()) for piece in rows.iter_slices(8192)])


def _require(table: pl.DataFrame) -> None:
    for column in ("record", "source", "patient", "fold"):
        if column not in table.columns:
            raise ColumnMissing(f"column '{column}' is not in the index: expected the columns of a catalog")
    if not table.height:
        raise CorpusError("split: expected at least one record, got none")


def _vocabularies(table: pl.DataFrame, labels: str | Sequence[str] | None) -> list[str]:
    known = [name.removeprefix(LABELS) for name in table.columns if name.startswith(LABELS)]
    if labels is None:
        return sorted(known)
    wanted = [labels] if isinstance(labels, str) else list(labels)
    for name in wanted:
        if name not in known:
            raise ColumnMissing(
                f"labels '{name}' are not in the index: expected one of {', '.join(known) or 'none (there are none)'}."
                f"{nearest(name, known)}"
            )
    return sorted(wanted)


def _enough(n_groups: int, cv: int) -> None:
    if cv < 3:
        raise CorpusError(
            f"folds: expected at least 3 (test, validation, and something to train on), got {cv}"
        )
    if n_groups < cv:
        raise CorpusError(f"folds: expected at most {n_groups}, for there are as many patients, got {cv}")


def _by_fold(frame: pl.DataFrame) -> dict[str, list[str]]:
    parts = frame.partition_by("fold", as_dict=True, maintain_order=True)
    return {f"fold {key[0]}": part["record"].to_list() for key, part in sorted(parts.items())}


def _listed(values: pl.Series) -> str:
    names = values.unique(maintain_order=True).to_list()
    return ", ".join(f"'{name}'" for name in names[:3]) + (
        f" and {len(names) - 3} more" if len(names) > 3 else ""
    )
