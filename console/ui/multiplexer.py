"""Whether the screen runs inside tmux or GNU screen, and how their window is called. The app asks while the console opens.

Both take a window's name as `ESC k name ESC \\`; any other terminal would print it. tmux obeys only where the person allows it
(`set -g allow-rename on`), and an empty name there means the automatic one again.
"""

from __future__ import annotations

import os
import subprocess
from collections.abc import Mapping
from typing import Final

_ANSWER_SECONDS: Final = 1.0
_GIVEN_NAME: Final = "#{?automatic-rename,,#{window_name}}"


def in_multiplexer(environ: Mapping[str, str] = os.environ) -> bool:
    return bool(environ.get("TMUX")) or environ.get("TERM", "").startswith(("screen", "tmux"))


def given_name(environ: Mapping[str, str] = os.environ) -> str:
    """The name that a person has given the window; empty when there is none or nobody knows. Waits: not for the event loop."""
    if not environ.get("TMUX"):
        return ""
    pane = ("-t", environ["TMUX_PANE"]) if environ.get("TMUX_PANE") else ()
    command = ["tmux", "display-message", "-p", *pane, _GIVEN_NAME]
    try:
        asked = subprocess.run(  # noqa: S603 - fixed arguments and tmux's own pane id
            command, stdin=subprocess.DEVNULL, capture_output=True, timeout=_ANSWER_SECONDS, check=False
        )
    except (OSError, subprocess.TimeoutExpired):
        return ""
    return asked.stdout.decode(errors="replace").strip() if asked.returncode == 0 else ""
