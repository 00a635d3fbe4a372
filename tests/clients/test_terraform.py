"""
Terraform with the AWS provider, on a real gateway: the page ``docs/recipes/terraform.md``, as it stands.

Owns: finding Terraform and the provider on this machine. Neither is in a package registry that the tests install from,
so that this is the one client which the tests cannot bring along: where the two are not, its page is skipped.
"""

import os
import shutil
import time
from collections.abc import Mapping
from pathlib import Path

import boto3
import pytest

from tests.clients.recipes import Block, Reader, await_running, blocks, ec2_endpoint, running
from tests.support.gateway import Gateway

pytestmark = [pytest.mark.clients, pytest.mark.timeout(600)]

PROVIDER = "registry.terraform.io/hashicorp/aws"

MIRRORS = ("~/.terraform.d/plugins", "/usr/local/share/terraform/plugins", "/usr/share/terraform/plugins", "/opt/*")
"""Where Terraform itself looks for providers on the disk, and where packages of other origins are put."""

PATIENCE_S = 100
"""Of the provider with a change that is refused: an apply that is told at once takes a few seconds."""

SKIPPED = "cannot be installed by the tests: "


def mirror() -> Path:
    """The folder that holds the provider. Skips the test where there is none, or no Terraform."""
    if shutil.which("terraform") is None:
        pytest.skip(f"{SKIPPED}the program terraform, which is in no package registry")
    named = os.environ.get("TERRAFORM_PLUGINS")
    places = [named] if named else [os.path.expandvars(place).replace("~", str(Path.home()), 1) for place in MIRRORS]
    for place in places:
        for found in sorted(Path("/").glob(f"{place.lstrip('/')}/{PROVIDER}")):
            return found.parents[2]
    pytest.skip(f"{SKIPPED}Terraform's provider hashicorp/aws; TERRAFORM_PLUGINS names the folder of a local mirror")


@pytest.fixture
def environ(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, str]:
    """What makes Terraform install its provider from the disk, and ask nobody for news."""
    file = tmp_path_factory.mktemp("terraform") / "terraform.rc"
    file.write_text(f'provider_installation {{\n  filesystem_mirror {{\n    path = "{mirror()}"\n  }}\n}}\n')
    return {"TF_CLI_CONFIG_FILE": str(file), "CHECKPOINT_DISABLE": "1", "TF_CLI_ARGS": "-no-color"}


def test_the_page_is_followed_from_nothing_to_nothing(
    gateway: Gateway, tmp_path: Path, environ: Mapping[str, str]
) -> None:
    """Each apply does what it should and no more, a plan after each finds nothing to do, and destroy ends it all."""
    with ec2_endpoint() as ec2, Reader(gateway, tmp_path, {**environ, "TF_VAR_ec2_url": ec2}) as reader:
        main, made, grown, released, gone = blocks("terraform.md")
        reader.follow(main)
        steps = [
            (made, "3 added, 0 changed, 0 destroyed", {"hotel": 1, "sierra": 1}),
            (grown, "0 added, 1 changed, 0 destroyed", {"hotel": 1, "sierra": 2}),
            (released, "2 added, 1 changed, 2 destroyed", {"hotel": 1, "sierra": 2}),
        ]
        for block, changes, places in steps:
            told = reader.follow(block)
            assert changes in told
            assert "No changes. Your infrastructure matches the configuration." in told
            await_running(gateway, places)

        refused_at_once(reader, main)
        assert "3 destroyed" in reader.follow(gone)
        assert running(gateway) == {}


def refused_at_once(reader: Reader, main: Block) -> None:
    """Nothing, when the provider was told at once of a parameter that is not built: it repeats a ValidationError."""
    before, found, after = main.text.partition("  min_size             = 0\n")
    assert found
    changed = f"{before}{found}  max_instance_lifetime = 86400\n{after}"
    (reader.directory / main.file).write_text(changed.replace('"2m"', f'"{PATIENCE_S}s"'), encoding="utf-8")

    began = time.monotonic()
    told = reader.follow(Block("sh", "terraform apply -auto-approve || true\n", ""))

    assert "MaxInstanceLifetime is not supported by UpdateAutoScalingGroup" in " ".join(told.replace("│", "").split())
    assert time.monotonic() - began < PATIENCE_S
    reader.follow(main)


def test_a_change_may_spell_out_the_default_distribution_over_zones(gateway: Gateway, name: str) -> None:
    """
    The default distribution over zones is taken as the default.

    Terraform's provider sends it with every change, and repeated the refusal for ten minutes: no change came through.
    """
    environ = gateway.client_environ
    client = boto3.client(
        "autoscaling",
        endpoint_url=gateway.endpoint,
        region_name="us-east-1",
        aws_access_key_id=environ["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=environ["AWS_SECRET_ACCESS_KEY"],
    )
    client.create_launch_configuration(LaunchConfigurationName=f"{name}@hotel", ImageId="sleeper", InstanceType="m1")
    client.create_auto_scaling_group(
        AutoScalingGroupName=name,
        LaunchConfigurationName=f"{name}@hotel",
        MinSize=0,
        MaxSize=1,
        AvailabilityZones=["us-east-1"],
    )

    client.update_auto_scaling_group(
        AutoScalingGroupName=name,
        MaxSize=2,
        AvailabilityZoneDistribution={"CapacityDistributionStrategy": "balanced-best-effort"},
    )
    with pytest.raises(client.exceptions.ClientError, match="AvailabilityZoneDistribution is not supported"):
        client.update_auto_scaling_group(
            AutoScalingGroupName=name,
            AvailabilityZoneDistribution={"CapacityDistributionStrategy": "balanced-only"},
        )

    [group] = client.describe_auto_scaling_groups(AutoScalingGroupNames=[name])["AutoScalingGroups"]
    assert group["MaxSize"] == 2
    client.delete_auto_scaling_group(AutoScalingGroupName=name, ForceDelete=True)
