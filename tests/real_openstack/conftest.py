"""
A real OpenStack for the tests beside this file, which ``make test-openstack`` brings up.

Owns: finding it, by the environment. Without it they fail, and say so: nobody collects them without asking for them.
"""

import os

import boto3
import pytest
from botocore.config import Config

from backends.cloud import LaunchSpec
from backends.openstack import Login
from tests.real_openstack.seeding import ADMIN, LoggedIn

SPEC = LaunchSpec("tiny", "m1.tiny")
READ_TIMEOUT_S = 120.0
BROUGHT_UP = (
    "PHANTOM_TEST_OPENSTACK",
    "PHANTOM_TEST_EC2_API",
    "PHANTOM_TEST_EC2_API_KEY",
    "PHANTOM_TEST_EC2_API_SECRET",
)


@pytest.fixture(scope="session")
def brought_up() -> dict[str, str]:
    """What the control plane's environment says."""
    missing = [name for name in BROUGHT_UP if name not in os.environ]
    assert not missing, f"{', '.join(missing)} not set: make test-openstack brings an OpenStack up"
    return {name: os.environ[name] for name in BROUGHT_UP}


@pytest.fixture(scope="session")
def login(brought_up):
    """How to log in to the real OpenStack."""
    return Login(brought_up["PHANTOM_TEST_OPENSTACK"], ADMIN, ADMIN, project=ADMIN, region="RegionOne")


@pytest.fixture
def admin(brought_up):
    """The administrator, for what is true past the gateway."""
    return LoggedIn(brought_up["PHANTOM_TEST_OPENSTACK"])


@pytest.fixture
def ec2_cloud(brought_up) -> str:
    """The table of a configuration for the cloud sierra, which is ec2-api in front of it, as an operator writes it."""
    return f"""
[clouds.sierra]
kind = "ec2"
endpoint_url = "{brought_up["PHANTOM_TEST_EC2_API"]}"
region = "RegionOne"
dialect = "ec2-api"
access_key_id = "{brought_up["PHANTOM_TEST_EC2_API_KEY"]}"
secret_access_key = "{brought_up["PHANTOM_TEST_EC2_API_SECRET"]}"
"""


@pytest.fixture(scope="session")
def ec2_image(sdk) -> str:
    """What ec2-api calls the image."""
    (image,) = sdk.describe_images()["Images"]
    found: str = image["ImageId"]
    return found


@pytest.fixture(scope="session")
def sdk(brought_up):
    """The account through the unmodified SDK."""
    return boto3.client(
        "ec2",
        endpoint_url=brought_up["PHANTOM_TEST_EC2_API"],
        region_name="RegionOne",
        aws_access_key_id=brought_up["PHANTOM_TEST_EC2_API_KEY"],
        aws_secret_access_key=brought_up["PHANTOM_TEST_EC2_API_SECRET"],
        config=Config(read_timeout=READ_TIMEOUT_S, retries={"total_max_attempts": 1}),
    )
