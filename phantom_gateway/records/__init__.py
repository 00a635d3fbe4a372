"""
What the gateway remembers: SQLAlchemy 2 Core over SQLite, one file of queries per resource.

Owns: tables, migrations, transactions. Does not own: any rule about what may be written; operations and the
reconciler decide that. Nothing outside this package imports SQLAlchemy.
"""
