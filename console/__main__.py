"""`rollback-console` and `python -m console`."""

from __future__ import annotations

import sys


def main() -> None:
    from console.cli import run

    sys.exit(run(sys.argv[1:]))


if __name__ == "__main__":
    main()
