"""The configuration of sensors: what it gives, and what a wrong one is told."""

from pathlib import Path

import pytest

from phantom_gateway.config import Config, ConfigError, MonitorSettings, SensorsSettings, load

CLOUD = '[clouds.hotel]\nkind = "local"\n'


def read(tmp_path: Path, text: str) -> Config:
    """The configuration that *text* is, in a file called phantom.toml."""
    path = tmp_path / "phantom.toml"
    path.write_text(text, encoding="utf-8")
    return load(path, {"HOME": "/home/alice"})


def test_everything_about_sensors_can_be_configured(tmp_path: Path) -> None:
    """Each value arrives typed, in its place."""
    config = read(
        tmp_path,
        '[sensors]\nport = 4242\nhost = "10.0.0.1"\ninsecure = true\nanonymous = true\nseries_per_user_max = 7\n'
        "poll_interval_s = 30\n"
        '[sensors.prometheus]\nurl = "https://prometheus.example.org/main"\ntimeout_s = 2\n'
        f'[sensors.opentsdb]\nurl = "http://10.0.0.2:4242"\n{CLOUD}',
    )

    assert config.sensors == SensorsSettings(
        port=4242,
        host="10.0.0.1",
        insecure=True,
        anonymous=True,
        series_per_user_max=7,
        poll_interval_s=30.0,
        opentsdb=MonitorSettings("http://10.0.0.2:4242", 5.0),
        prometheus=MonitorSettings("https://prometheus.example.org/main", 2.0),
    )


def test_a_file_that_says_nothing_of_sensors_has_no_receiver(tmp_path: Path) -> None:
    """Nobody gets another open port by an update; only the embedded default has one, for who tries things out."""
    assert read(tmp_path, CLOUD).sensors == SensorsSettings(port=None, anonymous=False)
    assert load(None, {"HOME": "/home/alice"}).sensors == SensorsSettings(port=4242, anonymous=True)


WRONG = [
    pytest.param(
        '[sensors]\nhost = "0.0.0.0"',
        "line 4: [sensors] host: '0.0.0.0' can be reached from other machines, and passwords travel readable; "
        "write insecure = true, or keep to loopback",
        id="samples from everywhere",
    ),
    pytest.param(
        "[sensors]\nport = 70000",
        "line 4: [sensors] port: 70000 is out of range; use 0 to 65535 (0: any free port)",
        id="no port",
    ),
    pytest.param(
        '[sensors.prometheus]\nurl = "http://u:hush@h:9090"',
        "line 4: [sensors.prometheus] url: must not hold a user or a password; put a proxy before it that adds them",
        id="a password for Prometheus",
    ),
    pytest.param(
        "[sensors.opentsdb]\ntimeout_s = 1",
        "line 3: [sensors.opentsdb] url: is missing; "
        "use http:// or https://, a host, and where needed a port and a path",
        id="an OpenTSDB nowhere",
    ),
    pytest.param(
        "[sensors.influx]",
        "line 3: [sensors] influx: is not a key that is known here; use one of: port, host, insecure, anonymous, "
        "series_per_user_max, poll_interval_s, opentsdb, prometheus",
        id="a monitor that is not known",
    ),
    pytest.param(
        "[sensors]\nprometheus = 1",
        "line 4: [sensors] prometheus: must be a table, not a whole number; "
        "write [sensors.prometheus] on a line of its own",
        id="a monitor that is no table",
    ),
    pytest.param(
        "[[sensors]]",
        "line 3: sensors: must be a table, not an array; write [sensors] on a line of its own",
        id="an array",
    ),
]


@pytest.mark.parametrize(("text", "expected"), WRONG)
def test_a_wrong_file_is_told_the_line_and_the_remedy(tmp_path: Path, text: str, expected: str) -> None:
    """Each mistake is answered with one sentence: file, line, key, what is wrong, what is right."""
    with pytest.raises(ConfigError) as refusal:
        read(tmp_path, CLOUD + text)

    (problem,) = refusal.value.problems
    assert problem.told("phantom.toml") == f"phantom.toml, {expected}"
