"""
The configured clouds, built.

Owns: which adapter stands behind which kind. An adapter is imported only when a cloud of its kind is configured, so
that nobody waits for, or needs, what he does not use.
"""

from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

from backends.cloud import Cloud
from phantom_gateway.config import Config, LocalCloudSettings


def build_clouds(config: Config, gateway_id: str, clock: Callable[[], datetime]) -> dict[str, Cloud]:
    """Every configured cloud by name, in the order of the configuration. Nothing is contacted yet."""
    directory = config.state_directory / "clouds"
    return {name: _local(name, settings, directory, gateway_id, clock) for name, settings in config.clouds.items()}


def _local(
    name: str, settings: LocalCloudSettings, directory: Path, gateway_id: str, clock: Callable[[], datetime]
) -> Cloud:
    from backends.local import Image, LocalCloud, Sandbox

    images: Mapping[str, Image] = {
        image_id: Image(image.command, image.description) for image_id, image in settings.images.items()
    }
    return LocalCloud(
        name,
        directory,
        gateway_id,
        images,
        clock=clock,
        vms_max=settings.vms_max,
        sandbox=Sandbox(settings.sandbox),
        terminate_grace_s=settings.terminate_grace_s,
    )
