"""Who calls: the service's certificates, its own issuer of tokens, or those of a real one."""
