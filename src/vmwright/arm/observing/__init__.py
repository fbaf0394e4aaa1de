"""What operators see of a service: metrics, health, its log."""
