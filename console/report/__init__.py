"""The record of an incident as a document: made from the journal alone. `model.py` first, then one file a format."""
