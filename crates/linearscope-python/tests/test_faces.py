"""Notebooks, matplotlib, and the shapes that Captum and Quantus call."""

from __future__ import annotations

import sys

import numpy as np
import pytest

import linearscope as ls


def test_everything_shows_itself(vgg, scene, upscaled):
    for thing in (
        vgg, scene, scene.certificate, scene.attribute(), upscaled.svd(2), scene.command("row", target=3),
    ):  # fmt: skip
        html = thing._repr_html_()
        assert html.startswith("<") and repr(thing)
    assert "data:image/png" in scene._repr_html_()
    named = ls.load(vgg._path.read_bytes(), name="<script>")
    assert "<script>" not in named._repr_html_() and "&lt;script&gt;" in named._repr_html_()
    assert "data:image/png" in upscaled.svd(2)._repr_html_()


def test_the_png_is_one(tmp_path):
    from linearscope._results import png

    image = pytest.importorskip("PIL.Image")
    import io

    pixels = np.random.default_rng(0).integers(0, 256, (5, 7, 3), np.uint8)
    assert (np.asarray(image.open(io.BytesIO(png(pixels)))) == pixels).all()


def test_colours_are_the_one_mapping():
    signed = ls.plot.rgb(np.array([[[-1.0, 0.0, 1.0]]]))
    # Blue below, white at 0, vermilion above: the program's ramp.
    assert signed[0, 1].tolist() == [255, 255, 255] or signed[0, 1].min() > 235
    assert signed[0, 0, 2] > signed[0, 0, 0] and signed[0, 2, 0] > signed[0, 2, 2]
    grey = ls.plot.rgb(np.zeros((3, 2, 2)))
    assert len(np.unique(grey)) == 1
    assert (ls.plot.rgb(np.ones((3, 2, 2)), scale=2.0) < 255).all()
    with pytest.raises(ValueError, match="not a picture"):
        ls.plot.rgb(np.ones(5))


def test_matplotlib_draws(scene, upscaled):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    axes = ls.plot.rows(scene, [1, 2])
    shown = axes[0].images[0].get_array()
    assert (np.asarray(shown) == ls.plot.rgb(scene.rows([1])[0])).all()
    assert axes[0].get_title() == scene.labels[1]
    ls.plot.overlay(scene.attribute(3))
    ls.plot.singular_vectors(upscaled.svd(3))
    ls.plot.columns(upscaled, [(0, 5, 5)])


def test_captums_shape(vgg, scene):
    lin = ls.attr.LinearInterpreter(vgg)
    x = np.concatenate([scene.x0, scene.x0[..., ::-1]])
    maps, delta = lin.attribute(x, target=3, return_convergence_delta=True)
    assert maps.shape == x.shape and maps.dtype == np.float32 and delta.shape == (2,)
    assert maps[0].tobytes() == scene.attribute(3).map[0].tobytes()
    score = scene.y0.ravel()[3]
    assert maps[0].sum() == pytest.approx(score, rel=1e-3) and abs(delta[0]) < 1e-3 * abs(score)
    each = lin.attribute(x, target=[3, 1])
    assert each[0].tobytes() == maps[0].tobytes() and each[1].tobytes() != maps[1].tobytes()
    best = lin.attribute(x[:1])
    assert best.tobytes() == scene.attribute().map.tobytes()
    other = lin.attribute(x[:1], target=3, baselines=0, method="integrated-gradients:4")
    assert other.shape == x[:1].shape
    zeros = lin.attribute(x[:1], 3, np.zeros_like(x[:1]), method="integrated-gradients:4")
    half = lin.attribute(x[:1], 3, 0.5, method="integrated-gradients:4")
    assert zeros.tobytes() == other.tobytes() != half.tobytes()
    with pytest.raises(ValueError, match="baseline has shape"):
        lin.attribute(x[:1], 3, x, method="integrated-gradients:4")
    with pytest.raises(TypeError, match="a single input"):
        lin.attribute((x,), 3)
    with pytest.raises(ValueError, match="3 targets for 2 inputs"):
        lin.attribute(x, target=[1, 2, 3])


def test_quantus_shape(vgg, scene):
    explain = ls.attr.explain_func(vgg, "gradient-input")
    maps = explain(None, scene.x0, np.array([3]), device="cpu")
    assert isinstance(maps, np.ndarray)
    assert maps[0].tobytes() == scene.attribute(3, "gradient-input").map[0].tobytes()


def test_without_pandas_there_are_records(scene, monkeypatch):
    monkeypatch.setitem(sys.modules, "pandas", None)
    found = scene.contributions()
    assert isinstance(found, ls.Records) and found[0]["kind"] == "input"
    assert found.attrs["score"] == pytest.approx(sum(one["value"] for one in found), rel=1e-5)
