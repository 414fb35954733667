"""The sections of a report, one file each: from the facts (`model.py`) to blocks. `contents.py` puts them in order."""
