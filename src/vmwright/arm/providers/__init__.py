"""One module per resource provider: each gives its routes."""
