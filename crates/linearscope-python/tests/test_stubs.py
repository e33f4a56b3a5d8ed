"""The committed stubs say what the compiled module has."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

import linearscope


def test_stubs_are_the_modules(tmp_path):
    pytest.importorskip("mypy")
    done = subprocess.run(
        [sys.executable, "-m", "mypy.stubtest", "linearscope._linearscope"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr


def test_types_are_sound(tmp_path):
    pytest.importorskip("mypy")
    package = Path(linearscope.__file__).parent
    assert (package / "py.typed").is_file()
    line = ["--strict", "--ignore-missing-imports", "--allow-any-unimported"]
    line += ["--disable-error-code=import-untyped", "--cache-dir", str(tmp_path)]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", *line, "-p", "linearscope"],
        capture_output=True, text=True, cwd=tmp_path,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
