#!/usr/bin/env bash
# A real OpenStack control plane from Debian's packages, and ec2-api to speak EC2 in front of it, into the directory
# named. Nothing is started, and nothing is configured that is used here.
set -euo pipefail
directory=$1
export DEBIAN_FRONTEND=noninteractive
# Maintainer scripts would start services; on a machine of one's own they must not.
policy=/usr/sbin/policy-rc.d
if [ ! -e "$policy" ]; then
    printf '#!/bin/sh\nexit 101\n' >"$policy"
    chmod +x "$policy"
    trap 'rm -f "$policy"' EXIT
fi
apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 rabbitmq-server mariadb-server keystone \
    glance-api placement-api nova-api nova-scheduler nova-conductor nova-compute neutron-server \
    neutron-linuxbridge-agent cinder-api uwsgi-plugin-python3 python3-venv >/dev/null
# Debian has no ec2-api. The last one there is was written for the libraries of this OpenStack, which are Debian's.
test -x "$directory/bin/python" || /usr/bin/python3 -m venv --system-site-packages "$directory"
"$directory/bin/python" -m pip install --quiet --disable-pip-version-check ec2-api==17.0.0
