"""What runs a guest: a virtual machine or a container, their sizes, and what this host can do."""
