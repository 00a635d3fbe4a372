#!/usr/bin/env bash
# The packages of a real OpenStack control plane on Debian. They start nothing and configure nothing that is used here.
set -euo pipefail
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
    neutron-linuxbridge-agent uwsgi-plugin-python3 >/dev/null
