"""
The configuration without a file: what a first start on anybody's own machine gets.

Owns: that text, read like any other file. Does not own the user that the first start creates, with keys of its own.
"""

EMBEDDED = """\
# Four clouds of processes on this machine, reachable from it alone.

[clouds.hotel]
kind = "local"

[clouds.sierra]
kind = "local"

[clouds.foxtrot]
kind = "local"

[clouds.alamo]
kind = "local"
"""
