"""MIT annotation files: every kind of word, and what a cut file does."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ecgprior.errors import EcgpriorError, FormatBroken, ReadError, RecordError
from ecgprior.record.formats import wfdb
from ecgprior.record.formats._wfdb_annotations import decode_annotations, encode_annotations
from ecgprior.record.read import read
from ecgprior.record.record import Annotations, Record


def word(code, number):
    return bytes((number & 0xFF, code << 2 | number >> 8))


END = word(0, 0)


def test_every_kind_of_word():
    data = (
        word(28, 18) + word(63, 5) + b"(AFIB\0"  # rhythm with a text of odd length, padded
        + word(1, 59) + word(61, 3) + word(60, 7)  # a beat with SUB and NUM
        + word(59, 0) + bytes((1, 0, 4, 0)) + word(5, 2)  # SKIP of 0x10004, then a PVC
        + word(62, 1)  # CHN: that mark's signal, and the following ones'
        + word(24, 10) + word(42, 0) + END
    )  # fmt: skip
    marks = decode_annotations(data, ["i", "V1"])
    assert marks.sample.tolist() == [18, 77, 77 + 0x10004 + 2, 77 + 0x10006 + 10, 77 + 0x10006 + 10]
    assert marks.symbol == ("+", "N", "V", "p", "[42]")
    assert marks.note == ("(AFIB", "", "", "", "")
    assert marks.lead == ("I", "I", "V1", "V1", "V1")


def test_marks_belong_to_all_leads_when_the_file_numbers_no_signal():
    marks = decode_annotations(word(1, 5) + END, ["I", "II"])
    assert marks.lead == (None,)


def test_backward_skip_and_before_the_start():
    back = word(59, 0) + bytes((0xFF, 0xFF, 0xFE, 0xFF))  # -2
    assert decode_annotations(word(1, 5) + back + word(1, 1) + END).sample.tolist() == [5, 4]
    with pytest.raises(FormatBroken, match="before the first sample"):
        decode_annotations(back + word(1, 1) + END)


def test_own_symbols_and_time_resolution():
    def note(text):
        return word(22, 0) + word(63, len(text)) + text + bytes(len(text) % 2)

    head = note(b"## time resolution: 1000") + note(b"## annotation type definitions") + note(b"42 y own")
    data = head + note(b"## end of definitions") + word(42, 100) + END
    marks = decode_annotations(data, (), 500)
    assert marks.sample.tolist() == [50] and marks.symbol == ("y",)


@pytest.mark.parametrize("data", [b"", b"\0", word(1, 5), word(1, 5) + b"\0", word(63, 40) + END, word(59, 0) + b"\0\0"])
def test_cut_files_are_refused(data):
    with pytest.raises(FormatBroken):
        decode_annotations(data)


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=64))
def test_any_bytes_give_marks_or_our_error(data):
    try:
        marks = decode_annotations(data + END, ["I"])
    except EcgpriorError:
        return
    assert len(marks.symbol) == len(marks.lead) == len(marks.note) == len(marks)
    assert (marks.sample >= 0).all()


@pytest.mark.filterwarnings("ignore:The inplace keyword")  # inside wfdb 4.3
def test_written_marks_come_back_and_wfdb_reads_them(tmp_path, reference):
    marks = Annotations(
        np.array([0, 5, 5, 2000, 900_000]), ("N", "(", "+", "[42]", "~"), ("I", "II", None, "I", "I"),
        ("", "", "(AFIB", "", "é"),
    )  # fmt: skip
    again = decode_annotations(encode_annotations(marks, ["I", "II"]), ["I", "II"])
    np.testing.assert_array_equal(again.sample, marks.sample)
    assert (again.symbol, again.lead, again.note) == (marks.symbol, marks.lead, marks.note)
    record = Record(signal=np.zeros((2, 10)), fs=500, leads=["I", "II"], name="a", annotations=marks)
    wfdb.write(record, tmp_path / "a")
    theirs = reference.rdann(str(tmp_path / "a"), "atr")
    np.testing.assert_array_equal(theirs.sample, marks.sample)
    assert theirs.chan.tolist() == [0, 1, 255, 0, 0]
    attached = read(tmp_path / "a", annotations="atr").annotations
    assert attached is not None and attached.symbol == marks.symbol


def test_marks_of_all_leads_stay_so(tmp_path):
    marks = Annotations(np.array([1, 2]), ("N", "V"), (None, None), ("", ""))
    record = Record(signal=np.zeros((2, 10)), fs=500, leads=["I", "II"], name="a", annotations=marks)
    wfdb.write(record, tmp_path / "a")
    assert wfdb.read_annotations(tmp_path / "a").lead == (None, None)
    with pytest.raises(ReadError, match="a.qrs"):
        wfdb.read_annotations(tmp_path / "a", "qrs")


@pytest.mark.parametrize(
    ("sample", "symbol", "lead", "note"),
    [([5, 4], ("N", "N"), (None, None), ("", "")), ([5], ("?!",), (None,), ("",)), ([5], ("N",), ("V9",), ("",)),
     ([5], ("N",), (None,), ("x" * 1024,))],
)  # fmt: skip
def test_marks_that_cannot_be_written(sample, symbol, lead, note):
    with pytest.raises(RecordError):
        encode_annotations(Annotations(np.array(sample), symbol, lead, note), ["I"])
