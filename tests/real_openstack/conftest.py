"""
A real OpenStack for the tests beside this file, which ``make test-openstack`` brings up.

Owns: finding it, by the environment. Without it they are skipped, and say so.
"""

import os
import uuid

import pytest

from backends.cloud import LaunchSpec
from backends.openstack import Login


@pytest.fixture(scope="session")
def login():
    """How to log in to the real OpenStack."""
    if "PHANTOM_TEST_OPENSTACK" not in os.environ:
        pytest.skip("there is no real OpenStack: make test-openstack brings one up")
    return Login(os.environ["PHANTOM_TEST_OPENSTACK"], "admin", "admin", project="admin", region="RegionOne")


SPEC = LaunchSpec("tiny", "m1.tiny")


def unique_gateway() -> str:
    """The id of a gateway that no other test is."""
    return uuid.uuid4().hex[:12]
