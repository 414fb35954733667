"""A credential plugin as kubeconfig files name them: prints a token, and reads its input if there is any to read.

It notes each call in a file, so that a test can prove what the caller gave it. Arguments: the file of the token, the file
for the notes. Run by the clients under test, never imported.
"""

from __future__ import annotations

import json
import os
import select
import stat
import sys
from pathlib import Path


def _seen_on_input() -> dict[str, object]:
    try:
        terminal, null = os.isatty(0), stat.S_ISCHR(os.fstat(0).st_mode) and not os.isatty(0)
    except OSError:
        return {"stdin": "closed", "read": ""}
    readable = bool(select.select([0], [], [], 0.2)[0])
    text = os.read(0, 1024).decode(errors="replace") if readable else ""
    return {"stdin": "terminal" if terminal else "null" if null else "stream", "read": text}


def main() -> None:
    """Answers with an ExecCredential."""
    token_file, notes = Path(sys.argv[1]), Path(sys.argv[2])
    with notes.open("a") as calls:
        calls.write(json.dumps(_seen_on_input()) + "\n")
    sys.stderr.write("exec_plugin: signing in\n")
    status = {"token": token_file.read_text()}
    sys.stdout.write(
        json.dumps({"apiVersion": "client.authentication.k8s.io/v1", "kind": "ExecCredential", "status": status})
    )


if __name__ == "__main__":
    main()
