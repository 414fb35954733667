"""The systems that are acted on or asked: one file each, with its protocol, its credentials and its errors in our words."""
