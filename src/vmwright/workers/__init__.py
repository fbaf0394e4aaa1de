"""What runs builds: a process with its lease and its keeper, and what clears up after the dead."""
