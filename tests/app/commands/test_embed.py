"""The command ``ecgprior embed``: files, folders, corpora and lists to one Parquet table."""

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import polars as pl
import pytest
from typer.testing import CliRunner

from ecgprior.app.main import app
from ecgprior.corpus.catalog import open_source
from ecgprior.corpus.prepare import prepare
from ecgprior.encoders._build import build_encoder
from ecgprior.encoders._load import Checkpoint, load, save_checkpoint
from ecgprior.errors import ReadError
from ecgprior.record.formats import wfdb
from ecgprior.record.preprocess import Preprocessing
from ecgprior.record.record import LEADS, Record


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    encoder = build_encoder("xresnet1d", {"size": "0.3m"}, LEADS, 100, seed=0)
    return save_checkpoint(tmp_path_factory.mktemp("c") / "c", encoder, Preprocessing(fs=100), seconds=5)


@pytest.fixture
def folder(tmp_path):
    """Three records, one of them cut."""
    rng = np.random.default_rng(0)
    for name in ("a", "b/c", "d"):
        path = tmp_path / "ecgs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        wfdb.write(Record(signal=rng.normal(0, 0.3, (12, 2500)), fs=500, name=path.name), path)
    data = tmp_path / "ecgs" / "d.dat"
    data.write_bytes(data.read_bytes()[:100])
    return tmp_path / "ecgs"


def run(*arguments):
    done = CliRunner().invoke(app, ["embed", *map(str, arguments)])
    if done.exception and not isinstance(done.exception, SystemExit):
        raise done.exception
    return done


def test_a_folder_with_a_broken_file(checkpoint, folder, tmp_path):
    to = tmp_path / "out" / "e.parquet"
    done = run(checkpoint, folder, "--to", to)
    assert done.exit_code == 0 and "2 embeddings of 128 numbers; 1 in the rejected list" in done.output
    table = pl.read_parquet(to)
    assert table.columns == ["record", "embedding"] and table["record"].to_list() == ["a", "b/c"]
    expected = load(checkpoint).embed([folder / "a.hea", folder / "b/c.hea"])
    np.testing.assert_allclose(table["embedding"].to_numpy(), expected, atol=1e-5)
    rejected = pl.read_csv(to.with_name("e.rejected.csv"))
    assert rejected["record"].to_list() == ["d"] and "d" in rejected["reason"][0]
    run(checkpoint, folder / "a.hea", "--to", to)
    assert not to.with_name("e.rejected.csv").exists()


def test_files_and_lists(checkpoint, folder, tmp_path):
    to = tmp_path / "e.parquet"
    (tmp_path / "list.txt").write_text(f"# two\n{folder / 'a'}\n\n{folder / 'b/c.hea'}\n")
    run(checkpoint, f"@{tmp_path / 'list.txt'}", folder / "a.hea", "--to", to)
    names = pl.read_parquet(to)["record"].to_list()
    assert names == [str(folder / "a"), str(folder / "b/c"), str(folder / "a")]
    run(checkpoint, folder, folder / "b", "--to", to)
    assert pl.read_parquet(to)["record"].to_list() == [f"{folder}/a", f"{folder}/b/c", f"{folder / 'b'}/c"]


def test_arrays_need_their_rate(checkpoint, tmp_path):
    np.save(tmp_path / "x.npy", np.random.default_rng(0).normal(0, 300, (3, 500)))
    to = tmp_path / "e.parquet"
    with pytest.raises(ReadError, match="none of 1 records could be embedded; the first: .*fs="):
        run(checkpoint, tmp_path / "x.npy", "--to", to)
    assert not to.exists()
    run(checkpoint, tmp_path / "x.npy", "--to", to, "--fs", 100, "--leads", "I,II,V1", "--unit", "uV")
    assert pl.read_parquet(to).height == 1


def test_a_corpus(checkpoint, folder, tmp_path):
    with ThreadPoolExecutor(1) as threads:
        corpus = prepare([open_source("folder", folder)], tmp_path / "corpus", fs=250, executor=threads)
    to = tmp_path / "e.parquet"
    run(checkpoint, tmp_path / "corpus", "--to", to)
    table = pl.read_parquet(to)
    assert table["record"].to_list() == corpus.index["record"].to_list() and table.height == 2
    np.testing.assert_allclose(table["embedding"].to_numpy(), load(checkpoint).embed(corpus), atol=1e-5)


def test_explains_without_embedding(checkpoint):
    done = run(checkpoint, "--explain")
    assert done.exit_code == 0 and "resampled to 100 Hz" in done.output and "1. " in done.output


def test_asks_for_what_is_missing(checkpoint, folder, tmp_path):
    assert "expected FILES and --to" in run(checkpoint, folder).output
    (tmp_path / "empty").mkdir()
    with pytest.raises(ReadError, match="no record was found"):
        run(checkpoint, tmp_path / "empty", "--to", tmp_path / "e.parquet")
    with pytest.raises(ReadError, match="list .* cannot be read"):
        run(checkpoint, f"@{tmp_path / 'none'}", "--to", tmp_path / "e.parquet")


def test_tables_in_a_folder_are_no_ecgs(checkpoint, folder, tmp_path):
    (folder / "labels.csv").write_text("record,age,label\na,50,NORM\nb/c,60,AF\n")
    to = tmp_path / "e.parquet"
    done = run(checkpoint, folder, "--to", to)
    assert (
        "1 in the rejected list" in done.output
        and "passed over" in done.output
        and "labels.csv" in done.output
    )
    assert pl.read_csv(to.with_name("e.rejected.csv"))["record"].to_list() == ["d"]
    run(checkpoint, folder, folder / "labels.csv", "--to", to)  # named: then it is listed
    assert pl.read_csv(to.with_name("e.rejected.csv"))["record"].to_list()[-1] == str(folder / "labels.csv")


def test_a_csv_with_leads_in_a_folder_is_an_ecg(checkpoint, tmp_path):
    rows = np.random.default_rng(0).normal(0, 0.3, (1000, 2))
    (tmp_path / "ecgs").mkdir()
    np.savetxt(tmp_path / "ecgs/x.csv", rows, delimiter=",", header="ii,V2", comments="")
    assert (
        "1 embeddings"
        in run(checkpoint, tmp_path / "ecgs", "--fs", 100, "--to", tmp_path / "e.parquet").output
    )


def test_a_target_that_cannot_be_written_is_said_before_the_work(checkpoint, folder, tmp_path, monkeypatch):
    monkeypatch.setattr(Checkpoint, "stream", lambda *a, **o: pytest.fail("the work has begun"))
    (tmp_path / "file").touch()
    with pytest.raises(NotADirectoryError):
        run(checkpoint, folder, "--to", tmp_path / "file" / "e.parquet")


def test_a_list_that_names_itself_an_empty_name_and_a_folder_as_target(checkpoint, folder, tmp_path):
    (tmp_path / "list").write_text(f"@{tmp_path / 'list'}\n")
    for inputs, to, text in (
        (f"@{tmp_path / 'list'}", "e.parquet", "names itself"),
        ("", "e.parquet", "input ''"),
        (folder / "a.hea", "ecgs", "is a folder"),
    ):
        with pytest.raises(ReadError, match=text):
            run(checkpoint, inputs, "--to", tmp_path / to)
