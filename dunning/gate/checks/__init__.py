"""The questions that rules ask, one module a theme: pure functions over the facts, with their values as data."""
