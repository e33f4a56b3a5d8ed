"""What is asked of a frozen network, against SciPy, NumPy and definitions."""

from __future__ import annotations

import pickle
import signal
import subprocess
import sys
import textwrap
import threading
import time

import numpy as np
import pytest
import scipy.sparse.linalg as sla

import linearscope as ls


def test_x_is_read_and_exact(scene):
    affine = scene.affine(scene.x0)
    assert affine.shape == scene.y0.shape == scene.output_shape
    assert np.allclose(affine, scene.y0, atol=1e-4)
    assert scene.certificate.holds and scene.certificate.exactness < 1e-5
    assert scene.labels is not None and len(scene.labels) == 8
    assert scene.task == "classifier"
    f = scene.operator()
    assert np.allclose(f @ scene.x0.ravel() + scene.residual.ravel(), scene.y0.ravel(), atol=1e-4)


def test_arrays_pictures_and_tensors_freeze_alike(vgg, scene):
    again = vgg.freeze(scene.x0)
    assert again.y0.tobytes() == scene.y0.tobytes()
    # Without the batch axis, not contiguous, in another order of bytes.
    odd = np.asfortranarray(scene.x0[0]).astype(">f4")
    assert vgg.freeze(odd).y0.tobytes() == scene.y0.tobytes()

    class Wrapped:
        def __array__(self, dtype=None, copy=None):
            return scene.x0

    assert vgg.freeze(Wrapped()).y0.tobytes() == scene.y0.tobytes()


def test_the_operator_is_scipys(upscaled):
    f = upscaled.operator()
    big, small = f.shape
    assert isinstance(f, sla.LinearOperator) and f.dtype == np.float32
    assert (big, small) == (3 * 24 * 28, 3 * 12 * 14)
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((small, 5)), rng.standard_normal((big, 4))
    assert np.allclose(np.einsum("ij,ik->jk", y, f @ x), np.einsum("ij,ik->jk", f.H @ y, x), atol=1e-2)
    # Bits do not depend on batch mates.
    assert (f @ x)[:, 2].tobytes() == (f @ x[:, 2]).tobytes()
    dense = f @ np.eye(small, dtype=np.float32)
    assert np.allclose(dense[:, 7], upscaled.columns([(0, 0, 7)])[0].ravel(), atol=1e-6)
    assert np.allclose(dense[11], upscaled.rows([(0, 0, 11)])[0].ravel(), atol=1e-6)
    z = x[:, 0] + 1j * x[:, 1]
    assert np.allclose(f @ z, dense @ z, atol=1e-3)
    assert np.allclose((f.T @ (2 * y[:, 0])), 2 * dense.T @ y[:, 0], atol=1e-3)
    with pytest.raises(ValueError):
        f @ np.ones(small + 1)


def test_svds_of_scipy_equals_ours(upscaled):
    ours = upscaled.svd(6)
    theirs = sla.svds(upscaled.operator(), k=6, random_state=1, return_singular_vectors=False)
    assert np.allclose(ours.sigma, np.sort(theirs)[::-1], rtol=1e-5)
    assert ours.converged and (ours.residuals < 1e-5).all()
    assert ours.v.shape == (6, *upscaled.input_shape)
    # Triplets are triplets.
    f = upscaled.operator()
    u, v = (side.reshape(6, -1).T for side in (ours.u, ours.v))
    assert np.allclose(f @ v, u * ours.sigma, atol=1e-4 * ours.sigma[0])


def test_double_precision_is_double(assets):
    net = ls.load(assets / "tiny_ops/tiny_ops.onnx", dtype="f64")
    f = net.freeze(assets / "tiny_ops/input.npy")
    assert f.y0.dtype == np.float64 and net.dtype == np.float64
    assert f.certificate.exactness < 1e-12
    expected = np.load(assets / "tiny_ops/expected.npy")
    assert np.allclose(f.y0, expected, atol=1e-4)


def test_models_come_as_paths_bytes_and_protos(assets, scene):
    onnx = pytest.importorskip("onnx")
    path = assets / "vgg/vgg.onnx"
    for source in (str(path), path.read_bytes(), onnx.load(path)):
        f = ls.load(source).freeze(scene.x0)
        assert f.y0.tobytes() == scene.y0.tobytes()
    with pytest.raises(TypeError, match="not a path"):
        ls.load(3)


def test_recipes_are_arguments(assets, scene):
    bare = ls.load((assets / "vgg/vgg.onnx").read_bytes(), mean=[0.5] * 3, std=[0.5] * 3)
    f = bare.freeze(assets / "pictures/scene.png", labels=[f"class {i}" for i in range(8)])
    assert f.y0.tobytes() == scene.y0.tobytes()
    assert f.places([2])[0].label == "class 2"
    again = bare.freeze(assets / "pictures/scene.png")
    assert any("recipe:" in notice for notice in f.notices) and again.notices, "each says its own"
    other = bare.freeze(assets / "pictures/scene.png", mean=[0.1, 0.2, 0.3])
    assert other.y0.tobytes() != scene.y0.tobytes()
    with pytest.raises(TypeError, match="meen"):
        ls.load(assets / "vgg/vgg.onnx", meen=3)


def test_networks_and_points_pickle(vgg, scene):
    net = pickle.loads(pickle.dumps(vgg))
    assert net.sha256 == vgg.sha256
    f = pickle.loads(pickle.dumps(scene))
    assert f.rows([1]).tobytes() == scene.rows([1]).tobytes()
    assert f.labels == scene.labels


def test_errors_say_where_and_what_to_do(assets, vgg, upscaled, tmp_path):
    with pytest.raises(ls.InputError) as caught:
        vgg.freeze(np.zeros((1, 3, 47, 48)))
    assert caught.value.shapes and caught.value.shapes[0] == (1, 3, 47, 48)
    with pytest.raises(ls.InputError, match="not finite"):
        vgg.freeze(np.full((1, 3, 48, 48), np.nan))
    with pytest.raises(ls.InputError, match="readable ONNX"):
        ls.load(b"nonsense")
    with pytest.raises(ls.InputError):
        ls.load(tmp_path / "absent.onnx")
    with pytest.raises(ls.InputError, match="outside"):
        upscaled.rows([(3, 0, 0)])
    with pytest.raises(ls.InputError, match="`dtype`"):
        ls.load(assets / "vgg/vgg.onnx", dtype="f16")
    with pytest.raises(ls.NotConvergedError) as caught:
        upscaled.svd(8, max_products=20)
    partial = caught.value.partial
    assert not partial.converged and len(partial) > 0
    assert "max_products" in caught.value.hint
    error = pickle.loads(pickle.dumps(caught.value))
    assert type(error) is ls.NotConvergedError and error.message == caught.value.message
    with pytest.raises(ls.InputError, match="no such command") as caught:
        upscaled.command("dance")
    with pytest.raises(TypeError, match="complex"):
        vgg.freeze(np.zeros((1, 3, 48, 48), complex))


def test_an_unsupported_op_is_named(tmp_path):
    onnx = pytest.importorskip("onnx")
    from onnx import TensorProto, helper

    def model(op: str, **attributes):
        node = helper.make_node(op, ["x"], ["y"], name="the_node", **attributes)
        ends = [helper.make_tensor_value_info(n, TensorProto.FLOAT, [1, 1, 4, 4]) for n in "xy"]
        graph = helper.make_graph([node], "g", ends[:1], ends[1:])
        return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)])

    with pytest.raises(ls.UnsupportedError) as caught:
        ls.load(model("Round")).freeze(np.ones((1, 1, 4, 4)))
    assert caught.value.node == "the_node" and "round" in caught.value.op.lower()
    with pytest.raises(ls.UnsupportedError) as caught:
        ls.load(model("NoSuchOp")).freeze(np.ones((1, 1, 4, 4)))
    assert caught.value.op == "NoSuchOp" and caught.value.node == "the_node"


def test_validity_is_where_a_unit_flips(scene):
    radius = scene.validity("black").radius
    assert 0 < radius < 1
    d = scene.network.freeze(scene.x0).validity(-scene.x0 - 1).radii
    # Black is −1 in the network's units.
    assert d[0] == pytest.approx(radius, rel=1e-4)
    errors = scene.growth("black", [radius / 2, 1.0])
    assert errors[0] < 1e-4 < errors[1]


def test_progress_is_heard_and_its_exceptions_stop(upscaled):
    heard = []
    upscaled.svd(4, progress=lambda doing, done, of: heard.append((doing, done, of)))
    assert heard and all(of == 4 for _, _, of in heard)

    def refuse(*_):
        raise LookupError("enough")

    with pytest.raises(LookupError, match="enough"):
        upscaled.svd(4, progress=refuse)
    assert upscaled.svd(1).converged


def test_ctrl_c_is_a_keyboard_interrupt(assets):
    f = ls.load(assets / "edsr/edsr.onnx").freeze(np.random.default_rng(0).random((1, 3, 96, 96)))
    timer = threading.Timer(0.5, lambda: signal.raise_signal(signal.SIGINT))
    timer.start()
    began = time.perf_counter()
    with pytest.raises(KeyboardInterrupt):
        f.svd(300)
    timer.join()
    assert time.perf_counter() - began < 5
    # The network goes on.
    assert f.rows([(0, 0, 0)]).any()


def test_the_gil_is_released(upscaled):
    counted = 0
    done = threading.Event()

    def count():
        nonlocal counted
        while not done.is_set():
            counted += 1
            time.sleep(0.001)

    thread = threading.Thread(target=count)
    thread.start()
    began = time.perf_counter()
    upscaled.svd(20)
    seconds = time.perf_counter() - began
    done.set()
    thread.join()
    assert counted > 50 * seconds


def test_threads_are_ones_own_and_change_no_bit(assets, upscaled):
    one = ls.load(assets / "edsr/edsr.onnx", threads=1).freeze(upscaled.x0)
    assert one.rows([(0, 1, 5), (0, 1, 6)]).tobytes() == upscaled.rows([(0, 1, 5), (0, 1, 6)]).tobytes()
    results = {}
    workers = [
        threading.Thread(target=lambda i=i: results.__setitem__(i, upscaled.rows([(0, 0, i)])))
        for i in range(4)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    for i in range(4):
        assert results[i].tobytes() == upscaled.rows([(0, 0, i)]).tobytes()


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="this system does not fork")
def test_a_fork_is_refused_and_does_not_hang(assets):
    code = f"""
        import os, numpy as np, linearscope as ls
        net = ls.load({str(assets / 'vgg/vgg.onnx')!r})
        f = net.freeze(np.zeros((1, 3, 48, 48)))
        if os.fork() == 0:
            try:
                f.rows([0])
            except RuntimeError as error:
                assert "fork" in str(error)
                os._exit(7)
            os._exit(1)
        print(os.waitstatus_to_exitcode(os.wait()[1]))
    """
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert done.stdout.strip() == "7", done


def test_attacks_and_maps_are_asked_in_memory(vgg, scene, upscaled):
    attacked = vgg.attack(scene.x0, 0.02)
    moved = attacked["adversarial"]
    assert np.abs(moved - scene.x0).max() <= 0.02 * (1 + 1e-5)
    assert "class_after" in attacked.found
    maps = upscaled.maps()
    assert maps.pictures and maps.tables


def test_shapes_are_checked_and_not_guessed(scene):
    f = scene
    _, c, h, w = f.x0.shape
    for wrong in (np.zeros((1, h, w, c)), np.zeros((h, w, c)), np.zeros(c * h * w)):
        with pytest.raises(ValueError, match="shape"):
            f.affine(wrong)
        with pytest.raises(ValueError, match="shape"):
            f.validity(wrong)
    assert f.affine(f.x0[0]).shape == f.y0.shape
    assert np.array_equal(f.affine(f.x0[0]), f.affine(f.x0))


def test_what_is_said_to_load_is_not_taken_later(scene):
    f = scene
    with pytest.raises(TypeError, match="rules"):
        f.command("row", at=[3], rules="taylor")


def test_arrays_of_any_order_are_the_same(scene):
    f = scene
    x = np.random.default_rng(0).standard_normal((3, f.x0.size)).astype(np.float32)
    for order in ("C", "F"):
        given = np.array(x, order=order)
        assert np.array_equal(f._point.product("affine", given), f._point.product("affine", x))


def test_one_network_freezes_for_several_threads(assets):
    from concurrent.futures import ThreadPoolExecutor

    net = ls.load(assets / "vgg/vgg.onnx", threads=2)
    expected = net.freeze(assets / "pictures/scene.png").y0
    with ThreadPoolExecutor(4) as pool:
        found = list(pool.map(lambda _: net.freeze(assets / "pictures/scene.png").y0, range(24)))
    assert all(np.array_equal(one, expected) for one in found)
