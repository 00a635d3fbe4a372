"""
Keeps every group at its desired capacity: looks, plans, checks the plan, acts.

Owns: all decisions about launching and terminating. Does not own: storage (it declares a port, ``ledger``) and clouds
(it knows their verbs). API calls, deaths, restarts and timers all take this one path.
"""
