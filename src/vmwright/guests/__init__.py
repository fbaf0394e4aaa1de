"""Talking to a guest: one module per family of guests, one per transport."""
