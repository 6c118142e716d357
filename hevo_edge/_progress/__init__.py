"""What ``progress=True`` shows: one display for all that is under way in an event loop."""
