"""
What a launch may ask for and a cloud may not have: refused by its name, never dropped in silence.

Owns: which wishes only EC2 knows, and the sentence. Does not own: what a cloud has beyond that.
"""

from collections.abc import Mapping

from backends.cloud import LaunchSpec
from backends.errors import Refused

Wishes = Mapping[str, object]
"""A plural, as it stands in the sentence, with what of it a launch asks for: anything false when nothing is."""


def of_ec2_alone(spec: LaunchSpec) -> Wishes:
    """What *spec* asks for that no cloud but EC2's has."""
    return {
        "block device mappings": spec.block_devices,
        "kernels and ramdisks beside the image's": spec.kernel_id or spec.ramdisk_id,
        "instance profiles": spec.instance_profile,
        "spot prices": spec.spot_price,
        "EBS optimisation": spec.ebs_optimized,
        "placement tenancies": spec.placement_tenancy not in {None, "", "default"},
        "public addresses at launch": spec.associate_public_ip,
    }


def refuse(wishes: Wishes, cloud: str) -> None:
    """Nothing, when nothing of it is wished for. Raises Refused, which names the first that *cloud* does not have."""
    for what, wished in wishes.items():
        if wished:
            raise Refused(f"{cloud} has no {what}; leave them out of the launch configuration")
