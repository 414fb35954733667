#!/usr/bin/env python3
"""Behaves as k6 does towards whoever runs it: its arguments, its exit codes, and the file of `--summary-export`.

The script that it is given is a JSON file: `exit`, and `metrics` and `checks` as k6 counts them, thresholds with whether they
held. It writes them as k6's own wrapper does: a rate's `rate` as `value`, thresholds with `true` for crossed, checks by group.
"""

import json
import os
import signal
import sys
import time
from hashlib import md5


def exported(script: dict) -> dict:
    metrics = {}
    for name, metric in script.get("metrics", {}).items():
        values = {key: value for key, value in metric.items() if key != "thresholds"}
        if "rate" in values and "passes" in values:
            values["value"] = values.pop("rate")
        if metric.get("thresholds"):
            values["thresholds"] = {source: not held for source, held in metric["thresholds"].items()}
        metrics[name] = values
    return {"root_group": group("", "", script.get("checks", {})), "metrics": metrics}


def group(name: str, path: str, checks: dict) -> dict:
    """A dict among the checks is a group of them."""
    return {
        "name": name,
        "path": path,
        "id": identity(path),
        "groups": {n: group(n, f"{path}::{n}", inner) for n, inner in checks.items() if isinstance(inner, dict)},
        "checks": {n: check(n, f"{path}::{n}", c) for n, c in checks.items() if isinstance(c, list)},
    }


def check(name: str, path: str, counts: list) -> dict:
    return {"name": name, "path": path, "id": identity(path), "passes": counts[0], "fails": counts[1]}


def identity(path: str) -> str:
    return md5(path.encode(), usedforsecurity=False).hexdigest()


def main() -> int:
    command, option, file, *arguments = sys.argv[1:]
    if (command, option) != ("run", "--summary-export"):
        print(f"Error: unknown command {command}", file=sys.stderr)
        return 255
    with open(arguments[-1]) as stream:  # noqa: PTH123 -- a program of its own, without imports that cost time
        script = json.load(stream)
    print(f"arguments {arguments[:-1]} new summary {os.environ.get('K6_NEW_MACHINE_READABLE_SUMMARY')}")
    if script.get("waits"):
        signal.signal(signal.SIGTERM, lambda *_: sys.exit(105))
        print("running", flush=True)
        time.sleep(60)
    if "raw" in script:
        with open(file, "w") as stream:  # noqa: PTH123
            stream.write(script["raw"])
    elif not script.get("no_summary"):
        with open(file, "w") as stream:  # noqa: PTH123
            json.dump(exported(script), stream, indent=4)
    print(script.get("says", "default ✓ [ 100% ] 10 VUs  1m0s"))
    return int(script.get("exit", 0))


if __name__ == "__main__":
    sys.exit(main())
