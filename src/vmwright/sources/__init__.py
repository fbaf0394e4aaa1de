"""One module per source kind: what a template names -> a base disk on this host."""
