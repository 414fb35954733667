"""One file a part of the main screen. Each turns its slice of the view state into rows and repaints what differs."""
