"""One module per customizer kind."""
