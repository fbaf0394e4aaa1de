"""The one door to the network: mirrors, retries, checksums, refused addresses."""
