"""How ARM speaks HTTP: paths without regard to case, calls, answers, errors, routes."""
