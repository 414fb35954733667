"""The migration that a drill takes back, as files: the cluster's objects, the policies before and after, the backups."""
