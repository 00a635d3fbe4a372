"""
Keys that several kinds of clouds have: kind, meaning and reason, said once for all of them.

Owns: what is the same whatever the cloud. Does not own: defaults, nor which kind of cloud has which key.
"""

from phantom_gateway.config import kinds, places
from phantom_gateway.config.keys import about

NAME_THERE = kinds.Text(r"[ -~]{1,255}", "1 to 255 printable ASCII characters")
"""What a cloud calls one of its things. EC2's own limit; which of them exist, only the cloud knows."""

LINE = kinds.Text(r"[^\x00-\x1f\x7f]{0,1024}", "up to 1024 characters on one line")

SECURITY_GROUPS_MAX = 16
"""EC2's limit for one network interface."""

KIND = about(
    kinds.Choice("kind of cloud", ("local", "ec2", "openstack", "libcloud", "libvirt")),
    "What the cloud is made of: `local` runs each VM as processes on this machine, `ec2` asks an endpoint that speaks "
    "EC2, `openstack` a project of an OpenStack, `libcloud` another provider through Apache Libcloud; `libvirt` "
    "runs VMs on a machine of your own.",
    reason="Each kind has keys of its own.",
)

LAUNCHES_PER_MINUTE_MAX = about(
    kinds.Number(1, 100_000),
    "VMs launched there per minute, by each account.",
    reason="A loop of launches and deaths costs no more than this; two a second repair most outages in minutes.",
)

VMS_PER_CLOUD_MAX = about(
    kinds.Whole(1, 100_000),
    "VMs there, in each account; then groups go on to their next cloud.",
    reason="A bill ends here, whatever groups want; below most quotas of a large account.",
)

IMAGE_DESCRIPTION = about(
    LINE,
    "What it is, for people who choose an image.",
    reason="It is shown in one line of a table.",
)

KEY_NAME = about(
    NAME_THERE,
    "Key pair of VMs whose launch configuration names none.",
    reason="It has to exist there, in the account that launches; a user's account may have its own.",
)

SECURITY_GROUPS = about(
    kinds.Texts(NAME_THERE, SECURITY_GROUPS_MAX),
    "Security groups of VMs whose launch configuration names none.",
    reason="As many as EC2 takes; without any, the cloud's own default.",
)

VERIFY_TLS = about(
    kinds.Flag(),
    "Check the cloud's certificate.",
    reason="Without it anybody on the way reads passwords and user data, and may answer in the cloud's place.",
)

CA_BUNDLE = about(
    places.PathTo(must_exist=True),
    "Authorities in PEM that may have signed the certificate, instead of the system's.",
    reason="For clouds inside a company; safer than not to check.",
)

CONNECT_TIMEOUT_S = about(
    kinds.Number(0.1, 300),
    "Seconds until a connection that does not come is given up.",
    reason="Nothing was sent by then: the launch goes to the next cloud. Far clouds need less than one.",
)

USER_DATA_BYTES_MAX = about(
    kinds.Whole(0, 1024 * 1024),
    "Longest user data that the cloud takes, in bytes before base64.",
    reason="16384 is EC2's limit, and what launch configurations hold; longer ones are refused here, in clear words.",
)

CALLS_AT_ONCE = about(
    kinds.Whole(1, 64),
    "Calls under way at the same time, in each account.",
    reason="More, and clouds throttle; fewer, and launches wait for looks. Each takes a thread.",
)
