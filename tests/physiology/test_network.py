"""The network's file: what it must say about itself, and clear words when it is absent or another."""

import json
import pickle

import numpy as np
import pytest

from ecgprior.errors import CheckpointError, ShapeError
from ecgprior.physiology.network import CLASSES, WaveNetwork

METADATA = {
    "preprocessing": {"fs": 250},
    "classes": list(CLASSES),
    "waves_fs": 125,
    "provenance": {"recipe": "abc"},
}


def write_model(path, metadata=METADATA, inputs=("signal", "lead_mask"), n_classes=4):
    """A file that gives `n_classes` times the mean of two samples: enough to be run."""
    onnx = pytest.importorskip("onnx")
    helper, kind = onnx.helper, onnx.TensorProto
    shapes = {"signal": (kind.FLOAT, ["b", "l", "t"]), "lead_mask": (kind.BOOL, ["b", "l"])}
    given = [helper.make_tensor_value_info(name, *shapes[name]) for name in inputs]
    waves = helper.make_tensor_value_info("waves", kind.FLOAT, ["b", "l", n_classes, "p"])
    axis = helper.make_tensor("axis", kind.INT64, [1], [2])
    nodes = [
        helper.make_node("AveragePool", ["signal"], ["half"], kernel_shape=[2], strides=[2]),
        helper.make_node("Unsqueeze", ["half", "axis"], ["one"]),
        helper.make_node("Concat", ["one"] * n_classes, ["waves"], axis=2),
    ]
    model = helper.make_model(
        helper.make_graph(nodes, "waves", given, [waves], [axis]), opset_imports=[helper.make_opsetid("", 17)]
    )
    model.ir_version = 8
    for key, value in metadata.items():
        model.metadata_props.add(key=key, value=value if isinstance(value, str) else json.dumps(value))
    path.write_bytes(model.SerializeToString())
    return path


def arguments(b=2, n_leads=3, n=64):
    signal = np.random.default_rng(0).standard_normal((b, n_leads, n)).astype(np.float32)
    return signal, np.ones((b, n_leads), bool)


def test_a_file_is_run_and_says_what_it_is(tmp_path):
    network = WaveNetwork(write_model(tmp_path / "waves.onnx"))
    signal, mask = arguments()
    waves = network(signal, mask)
    assert waves.shape == (2, 3, 4, 32) and waves.dtype == np.float32
    np.testing.assert_allclose(waves[:, :, 1], signal.reshape(2, 3, 32, 2).mean(axis=-1), atol=1e-6)
    assert network.metadata["provenance"] == {"recipe": "abc"}
    again = pickle.loads(pickle.dumps(network))
    np.testing.assert_array_equal(again(signal, mask), waves)


def test_shapes_that_do_not_fit_are_refused(tmp_path):
    network = WaveNetwork(write_model(tmp_path / "waves.onnx"))
    signal, mask = arguments()
    for wrong in (
        (signal[0], mask),
        (signal[:, :, :63], mask),
        (signal, mask[:, :2]),
    ):
        with pytest.raises(ShapeError, match="multiple of 32"):
            network(*wrong)


def test_an_absent_file_is_a_checkpoint_error(tmp_path):
    with pytest.raises(CheckpointError, match=r"expected an ONNX file at .*none\.onnx, got none"):
        WaveNetwork(tmp_path / "none.onnx")


def test_a_folder_is_a_checkpoint_error_that_names_the_way_to_a_file(tmp_path):
    with pytest.raises(CheckpointError, match=r"got a folder: `ecgprior export` writes one"):
        WaveNetwork(tmp_path)


def test_a_broken_file_is_a_checkpoint_error(tmp_path):
    path = write_model(tmp_path / "waves.onnx")
    path.write_bytes(path.read_bytes()[:-200])
    with pytest.raises(CheckpointError, match="valid ONNX file"):
        WaveNetwork(path)
    path.write_bytes(b"")
    with pytest.raises(CheckpointError):
        WaveNetwork(path)


@pytest.mark.parametrize(
    "change",
    [
        {"preprocessing": {"fs": 500}},
        {"preprocessing": "250"},
        {"classes": ["none", "QRS"]},
        {"waves_fs": 250},
    ],
)
def test_metadata_of_another_network_are_refused(tmp_path, change):
    with pytest.raises(CheckpointError, match="expected metadata with preprocessing fs 250"):
        WaveNetwork(write_model(tmp_path / "waves.onnx", METADATA | change))


def test_metadata_that_are_no_json_are_refused(tmp_path):
    with pytest.raises(CheckpointError, match="metadata in JSON"):
        WaveNetwork(write_model(tmp_path / "waves.onnx", METADATA | {"provenance": "by hand"}))


def test_another_model_is_refused(tmp_path):
    with pytest.raises(CheckpointError, match="expected inputs signal, lead_mask"):
        WaveNetwork(write_model(tmp_path / "waves.onnx", inputs=("signal",)))
    network = WaveNetwork(write_model(tmp_path / "waves.onnx", n_classes=3))
    with pytest.raises(CheckpointError, match=r"expected waves of \(2, 3, 4, 32\)"):
        network(*arguments())
