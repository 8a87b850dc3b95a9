"""Every error that ecgprior raises on purpose.

Each also derives from the closest built-in, so ``except ValueError`` keeps working::

    EcgpriorError
    ├── ReadError            (OSError)      a file could not be read
    │   ├── FormatUnknown                   nothing here reads this kind of file
    │   └── FormatBroken                    the kind is known, this file breaks its rules
    ├── RecordError          (ValueError)   one ECG does not allow what was asked
    │   ├── LeadMissing      (KeyError)
    │   ├── RecordTooShort
    │   ├── BadSamplingRate
    │   └── BadUnit
    ├── ShapeError           (ValueError)   an array has another shape than declared
    ├── UnknownName          (KeyError)     no such encoder, objective, source, …
    ├── RecipeError          (ValueError)   a recipe has an unknown key or an impossible value
    ├── CorpusError          (ValueError)   a folder of prepared records
    │   ├── SplitLeak                       one patient or one recording in two parts
    │   ├── ShardBroken
    │   └── ColumnMissing    (KeyError)
    ├── CheckpointError      (ValueError)   a checkpoint does not fit what was asked
    ├── TrainingStopped      (RuntimeError) training cannot go on (non-finite loss)
    ├── JobsStopped          (RuntimeError) work in other processes cannot go on
    └── ExtraMissing         (ImportError)  an optional dependency is not installed

Wording: *what* – expected *rule*, got *value* – what to do, one sentence, with the nearest valid name.
*Where* (record, file, step) is put on from outside by :func:`where`, so inner functions stay clean.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Iterator
from contextlib import contextmanager


class EcgpriorError(Exception):
    """Base of every error raised on purpose."""

    def __str__(self) -> str:  # KeyError would print the repr of its argument
        return str(self.args[0]) if self.args else ""


class ReadError(EcgpriorError, OSError):
    """A file could not be read."""


class FormatUnknown(ReadError):
    """Nothing here reads this kind of file."""


class FormatBroken(ReadError):
    """The kind of file is known, and this file breaks its rules."""


class RecordError(EcgpriorError, ValueError):
    """One ECG does not allow what was asked of it."""


class LeadMissing(RecordError, KeyError):
    """A lead that is needed is not in the record."""


class RecordTooShort(RecordError):
    """The record has fewer samples than the step needs."""


class BadSamplingRate(RecordError):
    """A sampling rate is zero, negative, not finite or not the one required."""


class BadUnit(RecordError):
    """A unit is unknown, or the amplitudes contradict it."""


class ShapeError(EcgpriorError, ValueError):
    """An array has another shape or type than declared."""


class UnknownName(EcgpriorError, KeyError):
    """A name that no file of a folder answers to."""


class RecipeError(EcgpriorError, ValueError):
    """A recipe has an unknown key or an impossible value."""


class CorpusError(EcgpriorError, ValueError):
    """A corpus or a catalog does not allow what was asked of it."""


class SplitLeak(CorpusError):
    """One patient, or one recording under two names, lies in two parts of a split."""


class ShardBroken(CorpusError):
    """A shard's bytes do not match the index."""


class ColumnMissing(CorpusError, KeyError):
    """A column that is needed is absent or holds nothing."""


class CheckpointError(EcgpriorError, ValueError):
    """A checkpoint is broken, or does not fit what was asked of it."""


class TrainingStopped(EcgpriorError, RuntimeError):
    """Training cannot go on."""


class JobsStopped(EcgpriorError, RuntimeError):
    """Work that was given to other processes cannot go on."""


class ExtraMissing(EcgpriorError, ImportError):
    """An optional dependency is not installed."""

    @classmethod
    def of(cls, package: str, extra: str, purpose: str) -> ExtraMissing:
        """One sentence that names the package, the purpose and the command."""
        return cls(f"{purpose} needs the package '{package}': pip install 'ecgprior[{extra}]'")


def nearest(name: str, options: Iterable[str]) -> str:
    """`` Did you mean 'x'?`` for the closest option, or an empty string.

    >>> nearest("avff", ["aVR", "aVF", "V1"])
    " Did you mean 'aVF'?"
    """
    by_fold = {str(o).casefold(): str(o) for o in options}
    found = difflib.get_close_matches(str(name).casefold(), by_fold, n=1, cutoff=0.5)
    return f" Did you mean '{by_fold[found[0]]}'?" if found else ""


def unknown_name(what: str, name: str, options: Iterable[str]) -> UnknownName:
    """The error for a name that is not among `options`.

    >>> print(unknown_name("encoder", "xresnet", ["transformer", "xresnet1d"]))
    encoder 'xresnet' is unknown: expected one of transformer, xresnet1d. Did you mean 'xresnet1d'?
    """
    options = sorted(options)
    listed = ", ".join(options) if options else "nothing (none is installed)"
    return UnknownName(f"{what} '{name}' is unknown: expected one of {listed}.{nearest(name, options)}")


@contextmanager
def where(place: str) -> Iterator[None]:
    """Add the place (record, file, step) to any of our errors that passes through.

    >>> try:
    ...     with where("record 'a1'"):
    ...         raise RecordTooShort("1 sample: expected at least 2")
    ... except RecordError as error:
    ...     print(describe(error))
    1 sample: expected at least 2 – in record 'a1'
    """
    try:
        yield
    except EcgpriorError as error:
        error.add_note(f"in {place}")
        raise


def describe(error: BaseException) -> str:
    """The error's sentence and, after it, every place that :func:`where` put on."""
    return " – ".join([str(error) or type(error).__name__, *getattr(error, "__notes__", [])])
