"""The step cache: which layers earlier builds have left that a new one may take instead of running steps."""
