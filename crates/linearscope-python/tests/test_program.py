"""The package and the program give the same bits, and the script is the program."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import scipy.sparse

import linearscope as ls


@pytest.fixture(scope="module")
def files(program, assets, tmp_path_factory):
    """A folder in which the program carries out commands about the scene."""
    folder = tmp_path_factory.mktemp("program")

    def carry_out(command: str, *words: object) -> Path:
        model, picture = assets / "vgg/vgg.onnx", assets / "pictures/scene.png"
        done = program(command, model, "--input", picture, *words, cwd=folder)
        assert done.returncode == 0, done.stderr
        return folder / "out/scene.png" / command

    return carry_out


def same(ours: np.ndarray, file: Path) -> None:
    theirs = np.load(file)
    assert ours.dtype == theirs.dtype and ours.shape == theirs.shape
    assert ours.tobytes() == theirs.tobytes()


def test_rows_and_columns_are_the_programs(scene, files):
    same(scene.rows([3, 5]), files("row", "--target", 3, "--target", 5) / "row.npy")
    folder = files("column", "--at", "0,20,30", "--at", "all,9,9")
    same(scene.columns([(0, 20, 30), ("all", 9, 9)]), folder / "column.npy")


def test_outputs_and_residuals_are_the_programs(scene, files):
    folder = files("run")
    same(scene.y0, folder / "output.npy")
    same(scene.residual, folder / "residual.npy")
    same(scene.x0, folder / "x0.npy")
    manifest = json.loads((folder / "manifest.json").read_text())
    ours = scene.certificate
    assert {**manifest["certificate"], "holds": True} == vars(ours)


def test_contributions_are_the_programs(scene, files):
    theirs = json.loads((files("contributions", "--target", 3) / "contributions.json").read_text())
    ours = scene.contributions(3)
    records = ours.to_dict("records") if hasattr(ours, "to_dict") else list(ours)
    assert records == theirs
    total = sum(one["value"] for one in records)
    assert total == pytest.approx(ours.attrs["score"], rel=1e-5)


def test_singular_triplets_are_the_programs(scene, files):
    folder = files("svd", "-k", 4)
    found = scene.svd(4)
    same(found.sigma.astype(np.float32), folder / "sigma.npy")
    same(found.u, folder / "u.npy")
    same(found.v, folder / "v.npy")


def test_attributions_are_the_programs(scene, files):
    words = ["--target", 3, "--method", "conserving", "--method", "integrated-gradients:5"]
    folder = files("attribute", *words, "--baseline", "blur")
    methods = ["conserving", "integrated-gradients:5"]
    found = scene.attribute(3, methods, baseline="blur")
    same(np.stack([one.map for one in found]), folder / "attribution.npy")
    theirs = json.loads((folder / "attributions.json").read_text())
    assert [one.sum for one in found] == [one["sum"] for one in theirs]
    assert found[0].sum == pytest.approx(found[0].score, rel=1e-4)


def test_the_matrix_is_the_programs(scene, files):
    theirs = scipy.sparse.load_npz(files("matrix") / "filter.npz")
    ours = scene.matrix()
    assert ours.shape == theirs.shape == (8, 3 * 48 * 48)
    assert ours.data.tobytes() == theirs.data.tobytes()
    assert (ours.indices == theirs.indices).all() and (ours.indptr == theirs.indptr).all()
    assert np.allclose(ours.toarray(), scene.operator() @ np.eye(ours.shape[1], dtype=np.float32), atol=1e-5)


def test_commands_write_the_programs_files(scene, files):
    theirs = files("votes")
    ours = scene.votes()
    names = {path.name for path in theirs.iterdir()} - {"run.json", "manifest.json", "arrays.npz"}
    assert {"votes.npy", "votes.png", "discussion.npy"} <= names
    for name in names:
        assert (ours.folder / name).read_bytes() == (theirs / name).read_bytes(), name
    assert ours["votes"].shape == (48, 48)
    assert ours.pictures["votes"][:4] == b"\x89PNG"


def test_pictures_are_the_programs(scene, files):
    """The overlay of one map, without the sheet around it."""
    ours = scene.command("attribute", target=3)
    theirs = files("attribute", "--target", 3)
    for name in ("attribution.png", "attribution.svg"):
        assert (ours.folder / name).read_bytes() == (theirs / name).read_bytes()


def test_exit_codes_are_the_programs(program, assets, tmp_path):
    assert program("--version", cwd=tmp_path).stdout == f"linearscope {ls.__version__}\n"
    helped = program("row", "--help", cwd=tmp_path)
    assert helped.returncode == 0 and "receptive field" in helped.stdout
    wrong = program("row", "absent.onnx", "--input", "x.npy", cwd=tmp_path)
    assert wrong.returncode == 2 and wrong.stderr.startswith("error: "), wrong
    usage = program("row", "--nonsense", cwd=tmp_path)
    assert usage.returncode == 2 and usage.stderr.count("error:") == 1
    few = program(
        "svd", assets / "edsr/edsr.onnx", "--input", assets / "pictures/cat.png", "-k", 8,
        "--max-products", 20, cwd=tmp_path,
    )  # fmt: skip
    assert few.returncode == 4 and "hint:" in few.stderr
    module = subprocess.run(
        [sys.executable, "-m", "linearscope", "--version"], capture_output=True, text=True
    )
    assert module.returncode == 0 and module.stdout == f"linearscope {ls.__version__}\n"


@pytest.mark.skipif(os.name != "posix", reason="signals of POSIX")
def test_ctrl_c_ends_the_program_with_what_is_finished(assets, tmp_path):
    script = Path(sys.executable).with_name("linearscope")
    line = [script, "svd", assets / "edsr/edsr.onnx", "--input", assets / "pictures/facade.png", "-k", "300"]
    running = subprocess.Popen(line, cwd=tmp_path, stderr=subprocess.PIPE, text=True)
    time.sleep(3)
    assert running.poll() is None, "it was done too early to be stopped"
    running.send_signal(signal.SIGINT)
    _, said = running.communicate(timeout=60)
    assert running.returncode == 130, said
    assert re.search("interrupted", said), said


def test_the_demo_needs_no_files(program, tmp_path):
    done = program("demo", "--help", cwd=tmp_path)
    assert done.returncode == 0
