"""The scenarios of the drill, one TOML file each; `model/scenario.py` reads them."""
