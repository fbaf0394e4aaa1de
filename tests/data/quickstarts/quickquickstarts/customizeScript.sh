#!/bin/bash -e
# Stands in for the first script of the public quickstarts.
sudo mkdir -p /etc/quickstart
id -un | sudo tee /etc/quickstart/user
pwd | sudo tee /etc/quickstart/folder
echo "$PACKER_BUILDER_TYPE" | sudo tee /etc/quickstart/builder
