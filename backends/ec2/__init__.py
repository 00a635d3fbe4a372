"""
The kind ``ec2``: any endpoint that speaks EC2's Query API, real or compatible.

Owns: everything that differs between such endpoints. A machine here is an EC2 instance with our mark.
"""

from backends.ec2.cloud import Ec2Cloud
from backends.ec2.dialect import Ec2Credentials, Ec2Settings, SignatureVersion, Tagging

__all__ = ["Ec2Cloud", "Ec2Credentials", "Ec2Settings", "SignatureVersion", "Tagging"]
