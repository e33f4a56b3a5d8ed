"""The examples run: the script, and the notebook cell by cell."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[3] / "examples/python"


def test_the_script_runs(tmp_path):
    done = subprocess.run(
        [sys.executable, EXAMPLES / "first_answers.py"], cwd=tmp_path, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr
    assert "says star" in done.stdout


def test_the_notebook_runs(monkeypatch):
    matplotlib = pytest.importorskip("matplotlib")
    matplotlib.use("Agg")
    monkeypatch.chdir(EXAMPLES)
    notebook = json.loads((EXAMPLES / "first_answers.ipynb").read_text(encoding="utf-8"))
    names: dict[str, object] = {}
    for number, cell in enumerate(notebook["cells"]):
        if cell["cell_type"] == "code":
            assert not cell["outputs"], "it is committed without outputs"
            exec(compile("".join(cell["source"]), f"cell {number}", "exec"), names)
    assert names["best"] == 5
