"""The desk's commands, one module each in `commands`."""
