import json
import math
import os

import pytest

from ecgprior import provenance


def test_a_file_is_whole_or_absent(tmp_path):
    path = tmp_path / "a.json"
    provenance.write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), provenance.atomic_open(path) as file:
        file.write("half")
        raise RuntimeError
    assert json.loads(path.read_text()) == {"a": 1}
    assert os.listdir(tmp_path) == ["a.json"]  # no part file is left


def test_a_pipe_or_device_is_not_replaced(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="expected a file, got a device or a pipe"):
        provenance.write_json(tmp_path / "pipe", {})
    assert os.listdir(tmp_path) == ["pipe"] and not (tmp_path / "pipe").is_file()


def test_a_target_is_judged_before_the_work_and_nothing_is_made(tmp_path):
    provenance.check_target(tmp_path / "new" / "deeper" / "a.json")
    (tmp_path / "file").touch()
    os.mkfifo(tmp_path / "pipe")
    for path, error in (
        (tmp_path, IsADirectoryError),
        (tmp_path / "pipe", OSError),
        (tmp_path / "file" / "a.json", NotADirectoryError),
        (tmp_path / "file" / "new" / "a.json", NotADirectoryError),
    ):
        with pytest.raises(error) as caught:
            provenance.check_target(path)
        assert caught.value.filename == str(path)
    assert sorted(os.listdir(tmp_path)) == ["file", "pipe"]


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root may write anywhere")
def test_a_read_only_folder_is_no_target(tmp_path):
    (tmp_path / "closed").mkdir(mode=0o500)
    with pytest.raises(PermissionError):
        provenance.check_target(tmp_path / "closed" / "a.json")


def test_nan_is_not_json(tmp_path):
    with pytest.raises(ValueError, match="JSON"):
        provenance.write_json(tmp_path / "a.json", {"a": math.nan})
    assert not os.listdir(tmp_path)


def test_digests_ignore_order_and_see_values():
    assert provenance.digest_pairs([("a", 1), ("b", 2)]) == provenance.digest_pairs([("b", 2), ("a", 1)])
    assert provenance.digest_pairs([("a", 1), ("b", 2)]) != provenance.digest_pairs([("a", 2), ("b", 1)])
    assert provenance.digest_json([1, 2]) != provenance.digest_json([2, 1])


def test_known_hash(tmp_path):
    (tmp_path / "abc").write_bytes(b"abc")  # FIPS 180-2, appendix B.1
    expected = "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
    assert provenance.sha256_file(tmp_path / "abc") == provenance.sha256("abc") == expected


def test_the_block_every_manifest_carries():
    block = provenance.provenance()
    assert set(block) == {"created", "ecgprior", "code_sha256", "git", "python", "platform"}
    assert len(block["code_sha256"]) == 64
    json.dumps(block)
