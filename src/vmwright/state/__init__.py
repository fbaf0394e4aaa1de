"""The database: records of builds, steps, layers, images and everything owned on this host."""
