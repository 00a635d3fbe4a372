"""
What each endpoint of the JSON API means: functions of a desk (or an errand) and a call, with their schemas beside them.

Owns: this API's shapes and words. Does not own: rules about groups and launch configurations, which both doors share
and which stand in the files above.
"""

import importlib
import pkgutil


def all_endpoints() -> None:
    """Nothing; every file here is imported, so that the table of endpoints is full."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
