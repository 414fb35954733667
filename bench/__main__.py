"""`python -m bench [paint] [rollback] [restore] [triggers] [whole]`: prints each comparison with rounds, medians, paired ratios.

`python -m bench paper` compares in words: it writes docs/paper-runbook.md, and runs only when it is named.
"""

from __future__ import annotations

import sys

from bench import paint, paper, restore, rollback, triggers, whole

BENCHES = {
    "paint": paint.main,
    "rollback": rollback.main,
    "restore": restore.main,
    "triggers": triggers.main,
    "whole": whole.main,
}
DOCUMENTS = {"paper": paper.main}


def main() -> int:
    names = sys.argv[1:] or list(BENCHES)
    if unknown := [name for name in names if name not in {**BENCHES, **DOCUMENTS}]:
        print(f"no such bench: {', '.join(unknown)}; there are: {', '.join([*BENCHES, *DOCUMENTS])}", file=sys.stderr)
        return 2
    for name in names:
        {**BENCHES, **DOCUMENTS}[name]()
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
