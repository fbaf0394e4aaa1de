"""Builds as they run, for whoever follows them from elsewhere: their logs and events as streams."""
