"""
Ansible's own modules, on a real gateway: the playbooks of ``docs/recipes/ansible.md``, and what they leave out.

Owns: what Ansible changed, by its own count, and what runs afterwards.
"""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.clients import driving
from tests.clients.recipes import Reader, await_running, blocks, ec2_endpoint, running
from tests.support.gateway import Gateway

pytestmark = [pytest.mark.clients, pytest.mark.timeout(240)]

PLAY_S_MAX = 100

MORE = """\
- name: What the page leaves out
  hosts: localhost
  connection: local
  gather_facts: false
  tasks:
    - name: Security groups by name
      community.aws.autoscaling_launch_config:
        name: more@hotel
        image_id: sleeper
        instance_type: m1.small
        security_groups: [default]
        instance_monitoring: false

    - name: No zone at all, metrics and notifications as they are by default
      amazon.aws.autoscaling_group:
        name: more
        launch_config_name: more@hotel
        min_size: 1
        max_size: 2
        desired_capacity: 1
        health_check_type: EC2
        health_check_period: 30
        default_cooldown: 10
        termination_policies: [OldestInstance]
        wait_timeout: 60

    - name: Look at it
      amazon.aws.autoscaling_group_info:
        name: more
      register: seen

    - name: It is what was asked for
      ansible.builtin.assert:
        that:
          - seen.results | length == 1
          - seen.results[0].desired_capacity == 1
          - seen.results[0].instances | length == 1
          - seen.results[0].termination_policies == ["OldestInstance"]

    - name: Away with it
      amazon.aws.autoscaling_group:
        name: more
        state: absent
        wait_timeout: 60

    - name: And with what it launched
      community.aws.autoscaling_launch_config:
        name: more@hotel
        state: absent
"""


@pytest.fixture
def ec2() -> Iterator[str]:
    """An EC2 endpoint beside the gateway."""
    driving.installed("ansible/bin/ansible-playbook", "Ansible")
    with ec2_endpoint() as url:
        yield url


def changes(told: str) -> list[int]:
    """How much each play in *told* changed, by Ansible's own count."""
    return [int(found) for found in re.findall(r"ok=\d+\s+changed=(\d+)\s+unreachable=0\s+failed=0", told)]


def test_the_page_is_followed_from_nothing_to_nothing(gateway: Gateway, ec2: str, tmp_path: Path) -> None:
    """Playbooks make two launch configurations and a group, find nothing to change, resize it, and remove it all."""
    with Reader(gateway, tmp_path, {"AWS_ENDPOINT_URL_EC2": ec2}) as reader:
        *before, last = blocks("ansible.md")
        for block in before:
            reader.follow(block)
        expected = [(2, 2), (0, 2), (1, 3), (2, 0)]
        for line, (changed, count) in zip(last.text.splitlines(), expected, strict=True):
            told = reader.follow(type(last)("sh", line + "\n", ""))
            assert changes(told) == [changed]
            await_running(gateway, {"hotel": 1, "sierra": count - 1} if count else {})


def test_what_the_page_leaves_out_works_too(gateway: Gateway, ec2: str, tmp_path: Path) -> None:
    """Names of security groups and all zones come from EC2; the group's other settings are taken and told."""
    (tmp_path / "more.yml").write_text(MORE, encoding="utf-8")
    environ = {**gateway.client_environ, "AWS_ENDPOINT_URL_EC2": ec2, "HOME": str(tmp_path)}
    program = driving.installed("ansible/bin/ansible-playbook", "Ansible")

    done = subprocess.run(
        [program, "more.yml"],
        cwd=tmp_path,
        env=environ,
        capture_output=True,
        text=True,
        check=False,
        timeout=PLAY_S_MAX,
    )

    assert (done.returncode, changes(done.stdout)) == (0, [4]), done.stdout + done.stderr
    assert running(gateway) == {}
