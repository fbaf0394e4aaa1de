# make setup | demo | test | lint: each sets up what it needs; the second time it installs nothing.
SHELL := /bin/bash
.DELETE_ON_ERROR:

VENV := .venv
BIN := $(VENV)/bin
UV_VERSION := 0.13.9
PACKAGES := qemu-system-x86 qemu-utils ovmf systemd-container passt mmdebstrap arch-test mtools dosfstools \
	fdisk e2fsprogs grub-pc-bin grub-common fuse3 openssh-client uidmap python3-venv

.PHONY: setup demo test lint check-packages clean
setup: check-packages $(VENV)/.installed
