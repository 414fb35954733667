"""Where the record of an incident is kept. One file a kind; `sqlite` is the default."""
