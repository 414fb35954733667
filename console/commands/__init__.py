"""What the command line can do, one file a group of commands. `cli.py` imports a file when its command is asked for."""
