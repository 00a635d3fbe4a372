"""
What each operation of the AWS API means: plain synchronous functions, one transaction each.

Owns: rules, defaults, limits and AWS's words for breaking them. Does not own: the wire (``protocol``), storage
(``records``) or clouds: an operation writes intent and wakes the group, the reconciler does the rest.
"""

import importlib
import pkgutil


def all_operations() -> None:
    """Nothing; every file here is imported, so that the table of operations is full."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
