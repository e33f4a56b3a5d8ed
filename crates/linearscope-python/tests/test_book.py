"""The Python of the book and the README runs: each page's blocks in order, in one program and a folder of its own.

A block that isn't run says why in `<!-- not run: REASON -->` right above it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from conftest import ASSETS

ROOT = Path(__file__).parents[3]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs/book/src").glob("*.md"))]
FENCED = re.compile(r"(?P<why>^<!-- not run: [^\n]+ -->\n\s*)?^```python\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)


def blocks(page: Path) -> list[tuple[int, str]]:
    """Line and text of what runs."""
    text = page.read_text(encoding="utf-8")
    found = [match for match in FENCED.finditer(text) if not match["why"]]
    return [(text[: match.start("text")].count("\n"), match["text"]) for match in found]


WITH_PYTHON = [page for page in PAGES if blocks(page)]


def test_there_are_some():
    assert {"README.md", "start.md", "python.md"} <= {page.name for page in WITH_PYTHON}


@pytest.mark.parametrize("page", WITH_PYTHON, ids=lambda page: page.stem)
def test_a_page_runs(page, tmp_path, monkeypatch):
    texts = blocks(page)
    if any("ls.plot" in text for _, text in texts):
        pytest.importorskip("matplotlib").use("Agg")
    os.symlink(ASSETS.resolve(), tmp_path / "assets", target_is_directory=True)
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {"__name__": "__main__"}
    for line, text in texts:
        # Blank lines above, so that a traceback has the page's own numbers.
        exec(compile("\n" * line + text, str(page), "exec"), names)
