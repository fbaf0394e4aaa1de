"""One module per distributor kind."""
