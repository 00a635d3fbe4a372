"""
The table of commands: name without ``as-`` -> what it calls, takes and prints.

Owns: the one place where all commands are found. Sources: manual pages and public scripts of the time, and the
``euscale-*`` tools, which were modelled on these commands one by one.
"""

from collections.abc import Mapping
from types import MappingProxyType

from phantom_gateway.as_tools.grammar import Command
from phantom_gateway.as_tools.table import constants, groups, instances, launch_configurations, policies, settings, tags

COMMANDS: Mapping[str, Command] = MappingProxyType(
    {
        command.name: command
        for command in sorted(
            (
                *launch_configurations.COMMANDS,
                *groups.COMMANDS,
                *instances.COMMANDS,
                *tags.COMMANDS,
                *policies.COMMANDS,
                *settings.COMMANDS,
                *constants.COMMANDS,
            ),
            key=lambda command: command.name,
        )
    }
)
