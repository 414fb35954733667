"""`python -m bench [paint] [rollback] [restore]`: prints each comparison with its rounds, medians and the ratio pair by pair."""

from __future__ import annotations

import sys

from bench import paint, restore, rollback

BENCHES = {"paint": paint.main, "rollback": rollback.main, "restore": restore.main}


def main() -> int:
    names = sys.argv[1:] or list(BENCHES)
    if unknown := [name for name in names if name not in BENCHES]:
        print(f"no such bench: {', '.join(unknown)}; there are: {', '.join(BENCHES)}", file=sys.stderr)
        return 2
    for name in names:
        BENCHES[name]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
