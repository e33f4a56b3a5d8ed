"""Questions about a whole network: inspect, verify, bench."""

from __future__ import annotations

import numpy as np
import pytest

import linearscope as ls


def test_inspect_lists_every_op(vgg):
    found = vgg.inspect()
    assert found["model"]["sha256"] == vgg.sha256 and found["can_be_frozen"]
    assert {"conv1", "relu1"} <= {op["node"] for op in found["ops"]}
    with pytest.raises(ls.InputError, match="4"):
        vgg.inspect(shape=(1, 4, 48, 48))
    with pytest.raises(TypeError, match="dtype"):
        vgg.inspect(dtype="f64")


def test_verify_measures_and_compares(vgg):
    x = np.random.default_rng(1).random((1, 3, 48, 48))
    y = vgg.freeze(x).y0
    assert vgg.verify()["holds"] and vgg.verify(x, reference=y)["holds"]
    # Another program's numbers that are not these are an answer, too.
    assert not vgg.verify(x, reference=y + 0.1 * abs(y).max())["holds"]


def test_bench_is_in_forwards(vgg):
    found = vgg.bench(1, rounds=2)
    assert found["k"] == 1 and found["replay_over_forward"] > 0 and not found["nodes"]
    assert vgg.bench(1, rounds=1, nodes=True)["nodes"]
    with pytest.raises(ls.InputError, match="batch of 1"):
        vgg.bench(3)


def test_a_network_of_bytes_answers(assets):
    data = (assets / "vgg/vgg.onnx").read_bytes()
    found = ls.load(data, name="mine", dtype="f64").verify()
    assert found["model"]["file"] == "mine" and found["dtype"] == "f64" and found["holds"]


def test_auto_has_the_name_of_the_device_it_became(assets):
    net = ls.load(assets / "tiny_ops/tiny_ops.onnx", device="auto")
    f = net.freeze(assets / "tiny_ops/input.npy")
    assert net.device != "auto" and f.facts["device"] == net.device and net.device in repr(net)
    named = ls.load(assets / "tiny_ops/tiny_ops.onnx", device=net.device)
    assert named.device == net.device
    with pytest.raises(ls.InputError, match="abacus"):
        ls.load(assets / "tiny_ops/tiny_ops.onnx", device="abacus")


def test_a_file_that_has_changed_is_not_asked(assets, tmp_path):
    path = tmp_path / "net.onnx"
    path.write_bytes((assets / "vgg/vgg.onnx").read_bytes())
    net = ls.load(path)
    path.write_bytes((assets / "vgg_bn/vgg_bn.onnx").read_bytes())
    with pytest.raises(ls.InputError, match="has changed"):
        net.inspect()
