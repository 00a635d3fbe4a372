"""
Sensors: what VMs and their surroundings measure, from the wire to the readings that move groups.

Owns: whose a sample is, what of it is kept in memory, the receiver of OpenTSDB's line protocol, and asking other
monitoring systems. Does not own: the database (``records.sensors``), HTTP (``front.opentsdb``), or any decision.
"""
