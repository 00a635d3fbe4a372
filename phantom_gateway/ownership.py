"""
Whether the four packages are really ours.

Owns: the check, because ``protocol``, ``backends`` and ``reconciler`` are names that others may use, too;
whichever was installed last would then be imported, in part.
"""

from importlib.metadata import packages_distributions

PACKAGES = ("phantom_gateway", "protocol", "backends", "reconciler")
DISTRIBUTION = "phantom-gateway"


def strangers() -> list[str]:
    """A sentence per package that another installed distribution owns, too; empty when all is well."""
    owners = packages_distributions()
    return [
        f"The package {package} also belongs to the distribution {owner}; install one of the two elsewhere."
        for package in PACKAGES
        for owner in sorted(set(owners.get(package, ())))
        if owner.lower().replace("_", "-") != DISTRIBUTION
    ]
