"""Step kinds, one file a kind. A module with `KIND` is a kind; help, schema and the contract tests pick it up by themselves."""
