#!/usr/bin/env bash
# What real VMs need on Debian: QEMU, libvirt, the headers that libvirt-python is built with, busybox, and a kernel.
# Only a package's files are used: no service is started, and nothing is configured.
set -euo pipefail
directory=$1
export DEBIAN_FRONTEND=noninteractive
apt-get install -y -qq --no-install-recommends -o DPkg::Lock::Timeout=300 qemu-system-x86 qemu-utils libvirt-daemon \
    libvirt-daemon-driver-qemu libvirt-clients libvirt-dev pkg-config gcc libc6-dev busybox-static >/dev/null
mkdir -p "$directory"
cd "$directory"
if [ ! -f vmlinuz ]; then
    package=$(apt-cache depends linux-image-cloud-amd64 | awk '/Depends: linux-image/ { print $2; exit }')
    apt-get download -qq "$package"
    dpkg-deb -x "$package"_*.deb unpacked
    cp unpacked/boot/vmlinuz-* vmlinuz
    rm -rf unpacked "$package"_*.deb
fi
