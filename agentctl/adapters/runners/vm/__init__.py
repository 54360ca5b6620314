"""The `vm` provider of sandboxes: qemu, copy-on-write disks, a serial line to an agent in the guest."""
