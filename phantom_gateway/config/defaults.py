"""
The configuration without a file: what a first start on anybody's own machine gets.

Owns: that text, read like any other file. Does not own the user that the first start creates, with keys of its own.
"""

EMBEDDED = """\
# Four clouds of processes on this machine, reachable from it alone. What they measure needs no password: there is one
# user. When something else has the port already, the gateway does without.

[sensors]
port = 4242
anonymous = true

[clouds.hotel]
kind = "local"

[clouds.sierra]
kind = "local"

[clouds.foxtrot]
kind = "local"

[clouds.alamo]
kind = "local"
"""
