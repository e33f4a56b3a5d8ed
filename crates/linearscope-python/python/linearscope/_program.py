"""Questions about a whole network, answered by the program: `inspect`, `verify` and `bench`.

They capture, freeze and time a network for themselves, so they run as a process of their own, and their JSON is the answer.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ._options import Files, words
from .errors import of_code


def asked(model: Path | bytes, command: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """What `linearscope COMMAND MODEL --json` prints.

    A certificate that does not hold is an answer too: `holds` is False then.

    Raises:
        LinearScopeError: as the program's exit code has it.
        KeyboardInterrupt: at Ctrl-C, which stops the program as well.
    """
    files = Files()
    with tempfile.TemporaryDirectory(prefix="linearscope-") as folder:
        if isinstance(model, bytes):
            path = Path(folder) / "network.onnx"
            path.write_bytes(model)
        else:
            # An absolute path does not begin with a dash.
            path = model.absolute()
        line = [sys.executable, "-m", "linearscope", command, os.fspath(path), "--json"]
        done = subprocess.run(
            [*line, *words(options, files)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        )
    if done.stdout.strip() and done.returncode in (0, 4):
        found: dict[str, Any] = json.loads(done.stdout)
        return found
    # A signal that ended it is a Ctrl-C, or an accident.
    code = 130 if done.returncode in (-2, 130) else done.returncode
    said = done.stderr.strip()
    _, _, error = said.rpartition("error: ")
    message, _, hint = error.partition("\nhint: ")
    raise of_code(code, message.strip() or f"the program ended with {code}", hint.strip() or None)
