"""What the desk promises, checked: one folder a room, `desk` for the building."""
