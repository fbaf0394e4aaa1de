"""The Azure face over HTTP: tokens, roles, resources, long-running operations, one module per provider."""
