"""What an account sends: parameters, signatures, versions, tags; and how its calls end."""

import asyncio
import base64
import ipaddress
import ssl
from datetime import UTC, datetime, timedelta
from urllib.parse import urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from backends.cloud import BlockDevice, LaunchSpec, Learned
from backends.ec2 import Ec2Credentials, Ec2Settings
from backends.errors import Ambiguous, Refused, Unreachable
from protocol import signature
from protocol.errors import ApiError
from protocol.wire import Request
from tests.backends.ec2_endpoint import (
    BREAKS,
    GATEWAY,
    GROUP,
    HANGS,
    KEY,
    MARK,
    NOW,
    OUR_TAGS,
    SECRET,
    SPEC,
    TOKEN,
    Asked,
    cloud_at,
    endpoint,
    error,
    http,
    instance,
    inventory,
    launched,
    reply,
)

LAUNCHED = launched(instance("i-1"))
OUR_TAGS_SENT = {
    "Tag.1.Key": "phantom-gateway",
    "Tag.1.Value": GATEWAY,
    "Tag.2.Key": "phantom-group",
    "Tag.2.Value": GROUP,
    "Tag.3.Key": "phantom-token",
    "Tag.3.Value": TOKEN,
}


def as_request(asked: Asked) -> Request:
    """The request as a server of ours would see it."""
    path, _, query = asked.target.partition("?")
    return Request(asked.method, path, query, asked.headers, asked.body)


async def sent(spec: LaunchSpec, count: int = 1, **settings) -> dict[str, str]:
    """The form of a launch of *spec*."""
    async with endpoint() as there, cloud_at(there.url, **{"tags": "none", **settings}) as cloud:
        there.always(LAUNCHED)
        await cloud.launch(spec, count, TOKEN, MARK)
        return there.asked[0].form


async def test_launch_sends_its_token_and_no_more_than_was_asked_for():
    """A bare launch names image, type, counts and token; what nobody chose is left to the cloud."""
    assert await sent(SPEC, 3) == {
        "Action": "RunInstances",
        "Version": "2016-11-15",
        "ImageId": "ami-12345678",
        "InstanceType": "m1.small",
        "MinCount": "1",
        "MaxCount": "3",
        "ClientToken": TOKEN,
    }


FULL = LaunchSpec(
    "ami-1",
    "m1.small",
    key_name="deploy",
    user_data=b"\x00\xff",
    security_groups=("web", "sg-1234", "db"),
    kernel_id="aki-1",
    ramdisk_id="ari-1",
    zone="zone-b",
    subnet_id="subnet-1",
    block_devices=(
        BlockDevice("/dev/sda1", snapshot_id="snap-1", size_gib=8, volume_type="io1", iops=100, encrypted=False),
        BlockDevice("/dev/sdb", virtual_name="ephemeral0"),
        BlockDevice("/dev/sdc", no_device=True),
    ),
    instance_profile="arn:aws:iam::1:instance-profile/web",
    monitoring=False,
    ebs_optimized=True,
    placement_tenancy="dedicated",
    spot_price="0.05",
)


@pytest.mark.parametrize(
    ("spec", "settings", "expected"),
    [
        pytest.param(
            FULL,
            {"key_name": "unused", "zone": "unused", "subnet_id": "unused", "security_groups": ("unused",)},
            {
                "KeyName": "deploy",
                "UserData": base64.b64encode(b"\x00\xff").decode(),
                "SecurityGroup.1": "web",
                "SecurityGroup.2": "db",
                "SecurityGroupId.1": "sg-1234",
                "KernelId": "aki-1",
                "RamdiskId": "ari-1",
                "Placement.AvailabilityZone": "zone-b",
                "Placement.Tenancy": "dedicated",
                "SubnetId": "subnet-1",
                "BlockDeviceMapping.1.DeviceName": "/dev/sda1",
                "BlockDeviceMapping.1.Ebs.SnapshotId": "snap-1",
                "BlockDeviceMapping.1.Ebs.VolumeSize": "8",
                "BlockDeviceMapping.1.Ebs.VolumeType": "io1",
                "BlockDeviceMapping.1.Ebs.Iops": "100",
                "BlockDeviceMapping.1.Ebs.Encrypted": "false",
                "BlockDeviceMapping.2.DeviceName": "/dev/sdb",
                "BlockDeviceMapping.2.VirtualName": "ephemeral0",
                "BlockDeviceMapping.3.DeviceName": "/dev/sdc",
                "BlockDeviceMapping.3.NoDevice": "",
                "IamInstanceProfile.Arn": "arn:aws:iam::1:instance-profile/web",
                "Monitoring.Enabled": "false",
                "EbsOptimized": "true",
                "InstanceMarketOptions.MarketType": "spot",
                "InstanceMarketOptions.SpotOptions.MaxPrice": "0.05",
                "InstanceMarketOptions.SpotOptions.SpotInstanceType": "one-time",
            },
            id="everything there is",
        ),
        pytest.param(
            SPEC,
            {"key_name": "ours", "zone": "zone-a", "subnet_id": "subnet-9", "security_groups": ("base",)},
            {
                "KeyName": "ours",
                "Placement.AvailabilityZone": "zone-a",
                "SubnetId": "subnet-9",
                "SecurityGroup.1": "base",
            },
            id="the account's own choices",
        ),
        pytest.param(
            LaunchSpec("ami-1", "t", subnet_id="subnet-1"),
            {"zone": "zone-a", "subnet_id": "subnet-9"},
            {"SubnetId": "subnet-1"},
            id="a subnet, which has a zone of its own",
        ),
        pytest.param(
            LaunchSpec("ami-1", "t", security_groups=("sg-1",), associate_public_ip=False, subnet_id="subnet-1"),
            {},
            {
                "NetworkInterface.1.DeviceIndex": "0",
                "NetworkInterface.1.AssociatePublicIpAddress": "false",
                "NetworkInterface.1.SubnetId": "subnet-1",
                "NetworkInterface.1.SecurityGroupId.1": "sg-1",
            },
            id="a word on the public address",
        ),
        pytest.param(
            LaunchSpec("ami-1", "t", instance_profile="web"), {}, {"IamInstanceProfile.Name": "web"}, id="a profile"
        ),
        pytest.param(
            SPEC,
            {"tags": "launch"},
            {"TagSpecification.1.ResourceType": "instance"}
            | {f"TagSpecification.1.{key}": value for key, value in OUR_TAGS_SENT.items()},
            id="tags",
        ),
        pytest.param(SPEC, {"partial_launches": False}, {}, id="all or nothing"),
    ],
)
async def test_launch_spells_what_was_chosen(spec, settings, expected):
    """What a launch configuration says wins over what the account says, and both reach the endpoint."""
    form = await sent(spec, **settings)

    common = {"Action", "Version", "ImageId", "InstanceType", "MinCount", "MaxCount", "ClientToken"}
    assert {key: value for key, value in form.items() if key not in common} == expected


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        (LaunchSpec("ami-1", "t", user_data=b"x" * 16385), "16385 bytes, this cloud takes 16384"),
        (LaunchSpec("ami-1", "t", security_groups=("web",), associate_public_ip=True), "by id .*'web'"),
    ],
)
async def test_launch_that_cannot_work_is_refused_unsent(spec, words):
    """The user reads what to change, and the endpoint hears nothing."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        with pytest.raises(Refused, match=words):
            await cloud.launch(spec, 1, TOKEN, MARK)

        assert there.asked == []


@pytest.mark.parametrize("version", ["v4", "v2"])
async def test_requests_are_signed_in_the_version_asked_for(version):
    """The signature of either version is the one that the secret gives, for a path and a port of their own."""
    async with endpoint() as there:
        there.always(inventory([]))
        url = f"{there.url}/services/Cloud/"
        async with cloud_at(url, signature_version=version, api_version="2010-08-31") as cloud:
            await cloud.sweep()
        asked = there.asked[0]

    assert asked.target == "/services/Cloud/"
    assert asked.form["Version"] == "2010-08-31"
    assert SECRET.encode() not in asked.body
    request, now, ports = as_request(asked), datetime.now(UTC), (urlsplit(there.url).port or 0,)
    claim = signature.read_claim(request, now)
    signature.check(claim, request, SECRET, now, ports)
    assert claim.access_key_id == KEY
    with pytest.raises(ApiError, match="does not match"):
        signature.check(claim, request, "wrong", now, ports)


async def test_tags_follow_a_launch_where_they_cannot_go_with_it():
    """CreateTags puts all three tags on all machines of the launch."""
    async with endpoint() as there, cloud_at(there.url, tags="after") as cloud:
        there.by_action(
            RunInstances=launched(instance("i-1"), instance("i-2")), CreateTags=reply("CreateTags", "<return/>")
        )
        await cloud.launch(SPEC, 2, TOKEN, MARK)

        assert there.actions() == ["RunInstances", "CreateTags"]
        form = there.asked[1].form
        assert {key: form[key] for key in OUR_TAGS_SENT} == OUR_TAGS_SENT
        assert (form["ResourceId.1"], form["ResourceId.2"]) == ("i-1", "i-2")


async def test_launch_whose_tags_fail_is_a_launch():
    """The machine is there and its token tells whose it is; the tags are put on after a sweep that misses them."""
    async with endpoint() as there, cloud_at(there.url, tags="after") as cloud:
        untagged = instance("i-1", clientToken=TOKEN)
        there.by_action(
            RunInstances=launched(untagged), CreateTags=http(500, "broken"), DescribeInstances=inventory([untagged])
        )
        (machine,) = await cloud.launch(SPEC, 1, TOKEN, MARK)
        assert machine.mark == MARK

        tagged = asyncio.Event()

        def answers(asked, _writer):
            if asked.form["Action"] == "CreateTags":
                tagged.set()
                return reply("CreateTags", "<return>true</return>")
            return inventory([untagged, instance("i-2", clientToken=TOKEN, tags=OUR_TAGS)])

        there.answers = answers
        swept = await cloud.sweep()
        async with asyncio.timeout(5):
            await tagged.wait()

    assert {m.mark for m in swept.machines} == {MARK}
    assert [a.form["ResourceId.1"] for a in there.asked if a.form["Action"] == "CreateTags"] == ["i-1", "i-1"]
    assert "ResourceId.2" not in there.asked[-1].form


async def test_endpoint_that_refuses_tags_is_not_asked_at_every_sweep():
    """After a refusal the next attempt waits."""
    async with endpoint() as there, cloud_at(there.url, tags="after") as cloud:
        there.by_action(
            DescribeInstances=inventory([instance("i-1", clientToken=TOKEN)]), CreateTags=error(400, "InvalidAction")
        )
        for _ in range(4):
            await cloud.sweep()
            if cloud._tagging is not None:
                await cloud._tagging

        assert there.actions().count("CreateTags") == 1


async def test_filter_is_sent_only_where_it_hides_nothing_of_ours():
    """Where tags follow a launch, a machine between the two would be missed."""
    for tags, expected in (("launch", True), ("after", False), ("none", False)):
        async with endpoint() as there, cloud_at(there.url, tags=tags, filters_trusted=True) as cloud:
            there.always(inventory([]))
            await cloud.sweep()

            form = there.asked[0].form
            assert (form.get("Filter.1.Name"), form.get("Filter.1.Value.1")) == (
                ("tag:phantom-gateway", GATEWAY) if expected else (None, None)
            )


def _terminating(gone: set[str], *, names_them: bool):
    """Answers of an endpoint that fails a whole call for one id that it does not know."""
    dead: set[str] = set()

    def answers(asked, _writer):
        ids = [value for key, value in asked.form.items() if key.startswith("InstanceId.")]
        unknown = [each for each in ids if each in gone]
        if unknown:
            return error(400, "InvalidInstanceID.NotFound", f"no such instances: {unknown if names_them else 'some'}")
        dead.update(ids)
        return reply("TerminateInstances", "<instancesSet/>")

    return answers, dead


@pytest.mark.parametrize("names_them", [True, False], ids=["it says which", "it does not say which"])
async def test_one_unknown_machine_saves_no_other(names_them):
    """A mixed call that fails whole is repeated without the unknown ones; they are gone, which is success."""
    ids = [f"i-{number:08x}" for number in range(250)]
    async with endpoint() as there, cloud_at(there.url) as cloud:
        gone = {ids[3], ids[120]}
        there.answers, dead = _terminating(gone, names_them=names_them)

        await cloud.terminate([*ids, ids[0]])

        assert dead == set(ids) - gone
        assert max(sum(key.startswith("InstanceId.") for key in asked.form) for asked in there.asked) == 100
        assert len(there.asked) == (5 if names_them else 203)


@pytest.mark.parametrize("names_them", [True, False])
async def test_inquiry_tells_the_denied_from_those_that_exist(names_them):
    """A call fails for one unknown id, named or not; the others are asked for without it, tags or no tags."""
    there_are = {"i-2": instance("i-2", clientToken=TOKEN), "i-3": instance("i-3")}

    def answers(asked: Asked, _writer: object) -> bytes:
        ids = [value for name, value in asked.form.items() if name.startswith("InstanceId.")]
        unknown = [each for each in ids if each not in there_are]
        if unknown:
            words = f"The instance ID '{', '.join(unknown)}' does not exist" if names_them else "No such instance"
            return error(400, "InvalidInstanceID.NotFound", words)
        return inventory(there_are[each] for each in ids)

    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.answers = answers

        inquiry = await cloud.inquire(["i-1", "i-2", "i-22", "i-3"])

        assert {machine.machine_id: machine.mark for machine in inquiry.machines} == {"i-2": MARK, "i-3": None}
        assert inquiry.denied == {"i-1", "i-22"}


@pytest.mark.parametrize(
    ("answer", "trouble"),
    [
        pytest.param(error(400, "InvalidInstanceID.Malformed", 'Invalid id: "i-1"'), Refused, id="malformed"),
        pytest.param(error(401, "AuthFailure", "not you"), Unreachable, id="not allowed"),
        pytest.param(http(500, "<html>oops</html>"), Unreachable, id="broken"),
    ],
)
async def test_inquiry_without_a_plain_no_denies_nothing(answer, trouble):
    """Only an endpoint that says that the very machine does not exist has said anything about it."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(answer)

        with pytest.raises(trouble):
            await cloud.inquire(["i-1"])


async def test_inquiry_answered_with_nothing_says_nothing():
    """Neither shown nor denied."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(inventory([]))

        inquiry = await cloud.inquire(["i-1"])

        assert (inquiry.machines, inquiry.denied) == ((), frozenset())


async def test_batch_that_fails_stops_no_other_batch():
    """All batches are tried before the failure is told."""
    ids = [f"i-{number:08x}" for number in range(150)]
    async with endpoint() as there, cloud_at(there.url) as cloud:
        dead: list[str] = []

        def answers(asked, _writer):
            if asked.form["InstanceId.1"] == ids[0]:
                return http(500, "broken")
            dead.extend(value for key, value in asked.form.items() if key.startswith("InstanceId."))
            return reply("TerminateInstances", "<instancesSet/>")

        there.answers = answers
        with pytest.raises(Unreachable):
            await cloud.terminate(ids)

        assert dead == ids[100:]


async def test_calls_share_connections():
    """A sweep every few seconds does not connect, let alone shake hands, every few seconds."""
    chunked = inventory([]).partition(b"\r\n\r\n")[2]
    pieces = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n0\r\n\r\n" % (len(chunked), chunked)
    for answer in (inventory([]), pieces, error(503, "RequestLimitExceeded")):
        async with endpoint() as there, cloud_at(there.url) as cloud:
            ports: set[int] = set()

            def answers(_asked, writer, answer=answer, ports=ports):
                ports.add(writer.get_extra_info("peername")[1])
                return answer

            there.answers = answers
            for _ in range(3):
                await asyncio.gather(cloud.sweep(), return_exceptions=True)

            assert len(there.asked) == 3
            assert len(ports) == 1


async def test_nothing_is_ever_sent_twice_by_the_sdk():
    """A launch that the endpoint dropped arrives once: whether to repeat it is not the SDK's to say."""
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(BREAKS)
        with pytest.raises(Ambiguous):
            await cloud.launch(SPEC, 1, TOKEN, MARK)

        assert there.actions() == ["RunInstances"]


async def test_caller_who_gives_up_frees_the_thread():
    """A cancelled call is cut off, so that a hung endpoint holds no thread."""
    async with endpoint() as there, cloud_at(there.url, calls_at_once=1, read_timeout_s=60.0) as cloud:
        there.always(HANGS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.2):
                await cloud.launch(SPEC, 1, TOKEN, MARK)
        there.always(inventory([]))

        async with asyncio.timeout(5):
            await cloud.sweep()


async def test_closing_cuts_off_what_hangs():
    """Closing waits for no endpoint; a closed account makes no call."""
    async with endpoint() as there, cloud_at(there.url, read_timeout_s=60.0) as cloud:
        asked = asyncio.Event()

        def answers(_asked, _writer):
            asked.set()
            return HANGS

        there.answers = answers
        hanging = asyncio.ensure_future(cloud.launch(SPEC, 1, TOKEN, MARK))
        async with asyncio.timeout(5):
            await asked.wait()
            await cloud.close()

            with pytest.raises(Ambiguous):
                await hanging
            with pytest.raises(Unreachable, match="closed"):
                await cloud.sweep()


async def test_operators_own_aws_configuration_changes_nothing(monkeypatch, tmp_path):
    """Profiles, files and variables of the AWS tools are the operator's, not the gateway's."""
    monkeypatch.setenv("AWS_PROFILE", "no-such-profile")
    monkeypatch.setenv("AWS_CONFIG_FILE", str(tmp_path / "missing"))
    monkeypatch.setenv("AWS_USE_FIPS_ENDPOINT", "true")
    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "9")
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    async with endpoint() as there, cloud_at(there.url) as cloud:
        there.always(inventory([]))
        await cloud.sweep()

        assert len(there.asked) == 1


@pytest.mark.parametrize(
    ("answer", "settings", "words"),
    [
        pytest.param(error(401, "AuthFailure", "no such key"), {}, "check the key, its secret", id="key"),
        pytest.param(error(400, "RequestExpired", "too late"), {}, "set the clock", id="clock"),
        pytest.param(http(404, "<html/>"), {}, "check endpoint_url and its path", id="path"),
        pytest.param(http(200, "<ListAllMyBucketsResult/>"), {"signature_version": "v2"}, '"v4"', id="S3"),
        pytest.param(BREAKS, {}, "that the endpoint is up", id="silence"),
        pytest.param(error(503, "InternalError"), {}, "operator", id="broken"),
    ],
)
async def test_probe_names_the_remedy(answer, settings, words):
    """An endpoint that cannot be used is no error of the probe but its answer."""
    async with endpoint() as there, cloud_at(there.url, **settings) as cloud:
        there.always(answer)
        probe = await cloud.probe()

    assert not probe.reachable
    assert len(probe.findings) == 1
    assert words in probe.findings[0]
    assert SECRET not in probe.findings[0]


@pytest.fixture(scope="module")
def tls(tmp_path_factory):
    """A server's TLS with a certificate that nobody but the bundle beside it vouches for."""
    folder = tmp_path_factory.mktemp("tls")
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    address = x509.IPAddress(ipaddress.ip_address("127.0.0.1"))
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(now - timedelta(hours=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(x509.SubjectAlternativeName([address]), critical=False)
        .sign(key, hashes.SHA256())
    )
    (folder / "bundle.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(secret)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "bundle.pem", folder / "key.pem")
    return context, str(folder / "bundle.pem")


@pytest.mark.parametrize(("trust", "is_reached"), [("bundle", True), (False, True), (True, False), ("/none", False)])
async def test_endpoint_is_reached_only_through_tls_that_is_trusted(tls, trust, is_reached):
    """A certificate is checked against the bundle named; the probe names that setting when it cannot be trusted."""
    context, bundle = tls
    async with endpoint(context) as there:
        there.answers = lambda asked, _writer: reply(asked.form["Action"], "")
        async with cloud_at(there.url, verify_tls=bundle if trust == "bundle" else trust) as cloud:
            probe = await cloud.probe()

    assert probe.reachable is is_reached
    assert is_reached or "cannot be reached" in probe.findings[0]
    assert trust is not True or "set verify_tls to the bundle" in probe.findings[0]


async def test_hanging_tls_endpoint_is_cut_off(tls):
    """Cutting off a call works from another thread in the middle of TLS, too."""
    context, bundle = tls
    async with endpoint(context) as there, cloud_at(there.url, verify_tls=bundle, read_timeout_s=60.0) as cloud:
        there.always(HANGS)
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.5):
                await cloud.sweep()
        async with asyncio.timeout(5):
            await cloud.close()


async def test_probe_sees_what_the_settings_got_wrong():
    """Another version, a wrong clock and ignored filters are found by reading alone."""
    async with endpoint() as there:

        def answers(asked, _writer):
            action = asked.form["Action"]
            if action == "DescribeInstances":
                return inventory([instance("i-1")])
            body = reply(action, "<regionInfo/>").partition(b"\r\n\r\n")[2]
            return http(200, body, Date="Fri, 02 Jan 2026 04:04:05 GMT")

        there.answers = answers
        async with cloud_at(there.url, filters_trusted=True, api_version="2010-08-31") as cloud:
            probe = await cloud.probe()
        actions = set(there.actions())

    assert NOW.hour == 3
    assert probe.reachable
    assert [finding.partition(": set ")[2] for finding in probe.findings] == [
        "one of them, for signatures are refused beyond 300 s",
        'api_version = "2016-11-15"',
    ]
    assert probe.learned == (Learned("filters_trusted", False, "hotel ignores filters on tags"),)
    assert all(action.startswith("Describe") for action in actions)


@pytest.mark.parametrize(
    "settings",
    [
        {"endpoint_url": "ftp://host"},
        {"launch_batch_max": 0},
        {"launch_batch_max": 1001},
        {"read_timeout_s": 0},
        {"tags": "sometimes"},
        {"signature_version": "v3"},
        {"calls_at_once": 0},
    ],
)
def test_settings_have_limits(settings):
    """A setting that makes no sense is refused where it is made."""
    with pytest.raises(ValueError, match="must"):
        Ec2Settings(**{"endpoint_url": "http://host", **settings})


def test_credentials_are_not_shown():
    """Neither half of a key is in any text about it."""
    shown = f"{Ec2Credentials(KEY, SECRET)!r} {Ec2Credentials(KEY, SECRET)}"

    assert KEY not in shown
    assert SECRET not in shown
