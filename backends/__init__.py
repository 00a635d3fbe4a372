"""
Clouds: places that launch machines, each behind the few verbs of :class:`backends.cloud.Cloud`.

Owns: everything that is peculiar to one kind of cloud. Knows no group, no request and no database.
"""
