"""The program `linearscope`, with its exit codes and Ctrl-C: `python -m linearscope` or the script `linearscope`."""

from __future__ import annotations

import sys

from . import _linearscope


def main() -> None:
    sys.exit(_linearscope.run(["linearscope", *sys.argv[1:]]))


if __name__ == "__main__":
    main()
