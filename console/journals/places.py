"""Where a journal is: what `--journal` means, and the default place. Light: the command line reads it before anything else."""

from __future__ import annotations

import os
import re
import unicodedata
from pathlib import Path
from urllib.parse import unquote, urlsplit

_EXPECTED = "use sqlite:///path/to/file or a plain path"


def path_of(address: str) -> Path:
    """The file that an address names: `sqlite:///absolute/path` or a plain path. Raises ValueError in words."""
    if "://" not in address:
        return Path(address).expanduser().absolute()
    url = urlsplit(address)
    if url.scheme != "sqlite":
        raise ValueError(f'"{url.scheme}://" is no journal that this release can keep; {_EXPECTED}')
    if url.netloc or not url.path.strip("/") or url.query or url.fragment:
        raise ValueError(f'"{address}" is not the address of a journal; {_EXPECTED}')
    return Path(unquote(url.path))


def default_path(title: str) -> Path:
    """In the state folder, named after the procedure: whoever opens the same procedure finds the same incident."""
    return state_folder() / f"{_slug(title)}.journal"


def state_folder() -> Path:
    """Where what has to outlive a session lies, by the XDG base directory specification."""
    home = os.environ.get("XDG_STATE_HOME", "")
    base = Path(home) if home.startswith("/") else Path.home() / ".local" / "state"
    return base / "rollback-console"


def _slug(title: str) -> str:
    plain = unicodedata.normalize("NFKD", title).encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-")[:80] or "procedure"
