"""vmwright builds virtual-machine images from Azure VM Image Builder templates on the user's own machines."""

__version__ = "0.1.0"
