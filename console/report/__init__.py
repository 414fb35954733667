"""The record of an incident as a document: made from the journal alone, the same at any time for the same journal.

Three stages, each pure: `model.py` reads the facts out of the events (with `rollbacks`, `messages`, `evidence`, `people` and
`curves`, one for each kind of story); `sections/` says them as blocks (`blocks.py`); `markdown.py` and `html.py` write the
blocks, each escaping in one place. `document.py` is the JSON of the same facts. `commands/report.py` and the drill call it.
"""
