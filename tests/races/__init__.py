"""Two at once, and killed half-way: what must come out as if nothing had happened.

``elsewhere``  databases and processes beside the test's own, and far sides that count
"""
