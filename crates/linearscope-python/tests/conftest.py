"""Bundled networks, and the program of the same wheel."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import linearscope as ls

# A process that was started in the background may ignore Ctrl-C, and Python does not answer it then.
signal.signal(signal.SIGINT, signal.default_int_handler)

ASSETS = Path(os.environ.get("LINEARSCOPE_ASSETS", Path(__file__).parents[3] / "assets"))


@pytest.fixture(scope="session")
def assets() -> Path:
    return ASSETS


@pytest.fixture(scope="session")
def vgg() -> ls.Network:
    return ls.load(ASSETS / "vgg/vgg.onnx")


@pytest.fixture(scope="session")
def scene(vgg: ls.Network) -> ls.Frozen:
    """A classifier at a scene."""
    return vgg.freeze(ASSETS / "pictures/scene.png")


@pytest.fixture(scope="session")
def upscaled() -> ls.Frozen:
    """An upscaler at an array."""
    x = np.random.default_rng(3).random((1, 3, 12, 14), np.float32)
    return ls.load(ASSETS / "edsr/edsr.onnx").freeze(x)


@pytest.fixture(scope="session")
def program():
    """Runs the program of the wheel, in a folder."""
    script = Path(sys.executable).with_name("linearscope")

    def run(*words: object, cwd: Path) -> subprocess.CompletedProcess[str]:
        line = [str(script), *map(str, words)]
        return subprocess.run(line, cwd=cwd, capture_output=True, text=True, timeout=300)

    return run
