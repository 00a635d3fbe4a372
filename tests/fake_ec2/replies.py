"""
The XML that the fake EC2 answers with: plain string templates, because listings of thousands must cost next to nothing.

Owns: envelopes, errors, and the items of every set. Does not own: what is in the sets.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from xml.sax.saxutils import escape

from tests.fake_ec2.knobs import NAMESPACE
from tests.fake_ec2.world import Machine

XML = "text/xml;charset=UTF-8"
HTML = "text/html; charset=utf-8"
REQUEST_ID = "59dbff89-35bd-4eac-99ed-be587EXAMPLE"
OWNER = "123456789012"

CODES = {"pending": 0, "running": 16, "shutting-down": 32, "terminated": 48, "stopping": 64, "stopped": 80, "error": 0}
"""State -> code. ``error`` shares pending's, as ec2-api has it."""


@dataclass(frozen=True, slots=True)
class Reply:
    """One HTTP answer."""

    body: bytes
    status: int = 200
    content_type: str = XML
    headers: tuple[tuple[str, str], ...] = ()


def answer(action: str, inner: str, namespace: str = NAMESPACE) -> Reply:
    """A good answer to *action*."""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<{action}Response xmlns="{namespace}">\n'
        f"<requestId>{REQUEST_ID}</requestId>\n{inner}\n</{action}Response>"
    )
    return Reply(text.encode())


def error(code: str, message: str, status: int) -> Reply:
    """A refusal as EC2 words it."""
    text = (
        f'<?xml version="1.0" encoding="UTF-8"?>\n<Response><Errors><Error><Code>{escape(code)}</Code>'
        f"<Message>{escape(message)}</Message></Error></Errors><RequestID>{REQUEST_ID}</RequestID></Response>"
    )
    return Reply(text.encode(), status)


def html(status: int, text: str = "Internal Server Error") -> Reply:
    """An error page, as proxies and frameworks answer."""
    body = (
        f"<!doctype html>\n<html lang=en>\n<title>{status} {escape(text)}</title>\n<h1>{escape(text)}</h1>\n"
        "<p>The server encountered an internal error<br>and was unable to complete your request.</p></html>"
    )
    return Reply(body.encode(), status, HTML)


def buckets() -> Reply:
    """What S3 answers to anything: moto does when the signature is of version 2."""
    text = (
        '<?xml version="1.0" encoding="UTF-8"?>\n<ListAllMyBucketsResult '
        'xmlns="http://s3.amazonaws.com/doc/2006-03-01"><Owner><ID>bcaf1ffd86f41161ca5fb16fd081034f</ID>'
        "<DisplayName>webfile</DisplayName></Owner><Buckets></Buckets></ListAllMyBucketsResult>"
    )
    return Reply(text.encode(), 200, "application/xml")


def hollow(action: str, namespace: str = NAMESPACE) -> Reply:
    """A good answer to *action* with nothing in it, for calls that are to have no effect."""
    sets = {
        "RunInstances": f"<reservationId>r-00000000</reservationId><ownerId>{OWNER}</ownerId><instancesSet/>",
        "TerminateInstances": "<instancesSet/>",
        "CreateTags": "<return>true</return>",
        "DescribeInstances": "<reservationSet/>",
    }
    return answer(action, sets.get(action, ""), namespace)


def iso(at: float) -> str:
    """*at*, seconds since 1970, as EC2 writes times."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m-%dT%H:%M:%S.000Z")


def state(name: str) -> str:
    """The inside of a state."""
    return f"<code>{CODES.get(name, 0)}</code><name>{name}</name>"


def tag_set(tags: Iterable[tuple[str, str]]) -> str:
    """A set of tags."""
    items = "".join(f"<item><key>{escape(key)}</key><value>{escape(value)}</value></item>" for key, value in tags)
    return f"<tagSet>{items}</tagSet>" if items else "<tagSet/>"


def items(name: str, entries: Iterable[str]) -> str:
    """The set *name* of *entries*."""
    return f"<{name}>{''.join(f'<item>{entry}</item>' for entry in entries)}</{name}>"


def address(number: int) -> str:
    """The private address of the machine with that number."""
    return f"10.{number >> 16 & 255}.{number >> 8 & 255}.{number & 255}"


def instance(machine: Machine, shown: str, token: str, namespace_owner: str = OWNER) -> str:
    """One instance as an item of an instancesSet, about as long as AWS's own."""
    order = machine.order
    launched = iso(machine.born_at)
    private_ip = address(machine.number)
    name = "ip-" + private_ip.replace(".", "-") + ".ec2.internal"
    groups = "".join(
        f"<item><groupId>sg-{index:017x}</groupId><groupName>{escape(group)}</groupName></item>"
        for index, group in enumerate(order.security_groups, 1)
    )
    key = f"<keyName>{escape(order.key_name)}</keyName>" if order.key_name else ""
    kernel = f"<kernelId>{escape(order.kernel_id)}</kernelId>" if order.kernel_id else ""
    ramdisk = f"<ramdiskId>{escape(order.ramdisk_id)}</ramdiskId>" if order.ramdisk_id else ""
    addresses = (
        f"<privateIpAddress>{private_ip}</privateIpAddress>"
        f"<ipAddress>203.{machine.number >> 16 & 255}.{machine.number >> 8 & 255}.{machine.number & 255}</ipAddress>"
    )
    reason = "" if shown in {"pending", "running"} else "User initiated"
    return (
        f"<item><instanceId>{machine.machine_id}</instanceId><imageId>{escape(order.image_id)}</imageId>"
        f"<instanceState>{state(shown)}</instanceState><privateDnsName>{name}</privateDnsName>"
        f"<dnsName>ec2-{name}</dnsName><reason>{reason}</reason>{key}"
        f"<amiLaunchIndex>{machine.index}</amiLaunchIndex><productCodes/>"
        f"<instanceType>{escape(order.instance_type)}</instanceType><launchTime>{launched}</launchTime>"
        f"<placement><availabilityZone>{machine.zone}</availabilityZone><groupName/><tenancy>default</tenancy>"
        f"</placement>{kernel}{ramdisk}<monitoring><state>disabled</state></monitoring>"
        f"<subnetId>{escape(order.subnet_id) or 'subnet-0123456789abcdef0'}</subnetId>"
        f"<vpcId>vpc-0123456789abcdef0</vpcId>{addresses}<sourceDestCheck>true</sourceDestCheck>"
        f"<groupSet>{groups}</groupSet><architecture>x86_64</architecture><rootDeviceType>ebs</rootDeviceType>"
        f"<rootDeviceName>/dev/xvda</rootDeviceName><blockDeviceMapping><item><deviceName>/dev/xvda</deviceName>"
        f"<ebs><volumeId>vol-{machine.number:017x}</volumeId><status>attached</status>"
        f"<attachTime>{launched}</attachTime><deleteOnTermination>true</deleteOnTermination></ebs></item>"
        f"</blockDeviceMapping><virtualizationType>hvm</virtualizationType>"
        f"<clientToken>{escape(token)}</clientToken>{tag_set(machine.tags.items())}<hypervisor>xen</hypervisor>"
        f"<networkInterfaceSet><item><networkInterfaceId>eni-{machine.number:017x}</networkInterfaceId>"
        f"<subnetId>subnet-0123456789abcdef0</subnetId><vpcId>vpc-0123456789abcdef0</vpcId><description/>"
        f"<ownerId>{namespace_owner}</ownerId><status>in-use</status><macAddress>0e:00:00:00:00:01</macAddress>"
        f"<privateIpAddress>{private_ip}</privateIpAddress><privateDnsName>{name}</privateDnsName>"
        f"<sourceDestCheck>true</sourceDestCheck><groupSet>{groups}</groupSet><attachment>"
        f"<attachmentId>eni-attach-{machine.number:017x}</attachmentId><deviceIndex>0</deviceIndex>"
        f"<status>attached</status><attachTime>{launched}</attachTime>"
        f"<deleteOnTermination>true</deleteOnTermination></attachment></item></networkInterfaceSet>"
        f"<ebsOptimized>false</ebsOptimized><capacityReservationSpecification>"
        f"<capacityReservationPreference>open</capacityReservationPreference></capacityReservationSpecification>"
        f"<hibernationOptions><configured>false</configured></hibernationOptions>"
        f"<enclaveOptions><enabled>false</enabled></enclaveOptions></item>"
    )


def reservation(machines: list[str], reservation_id: str) -> str:
    """The inside of a reservation that holds the items *machines*."""
    return (
        f"<reservationId>{reservation_id}</reservationId><ownerId>{OWNER}</ownerId><groupSet/>"
        f"<instancesSet>{''.join(machines)}</instancesSet>"
    )


def status(machine: Machine, shown: str, health: str) -> str:
    """One entry of an instanceStatusSet; *health* is ``ok``, ``impaired`` or ``initializing``."""
    reached = {"ok": "passed", "impaired": "failed"}.get(health, "initializing")
    detail = (
        f"<status>{health}</status><details><item><name>reachability</name><status>{reached}</status></item></details>"
    )
    return (
        f"<instanceId>{machine.machine_id}</instanceId><availabilityZone>{machine.zone}</availabilityZone>"
        f"<instanceState>{state(shown)}</instanceState><systemStatus>{detail}</systemStatus>"
        f"<instanceStatus>{detail}</instanceStatus>"
    )


def tag_entry(entry: Mapping[str, str]) -> str:
    """One entry of DescribeTags."""
    return (
        f"<resourceId>{entry['resource-id']}</resourceId><resourceType>{entry['resource-type']}</resourceType>"
        f"<key>{escape(entry['key'])}</key><value>{escape(entry['value'])}</value>"
    )
