"""Where bytes live: a content-addressed store and finished files."""
