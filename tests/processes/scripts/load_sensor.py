"""
A sensor inside a VM: sends the load of its own VM in OpenTSDB's line protocol; nothing while there is none to be read.

Owns: a program of its own, which the VMs of a test run. Arguments: the file with the load, the file with the port.
"""

import os
import pathlib
import socket
import sys
import time

share, port = pathlib.Path(sys.argv[1]), pathlib.Path(sys.argv[2])
host = os.environ["PHANTOM_INSTANCE_ID"]
connection = socket.create_connection(("127.0.0.1", int(port.read_text())))
while True:
    load = share.read_text()
    if load:
        connection.sendall(f"put load {time.time():.0f} {load} host={host}\n".encode())
    time.sleep(0.3)
