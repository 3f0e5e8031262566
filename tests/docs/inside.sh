#!/bin/bash
# inside.sh TREE VENV HOSTS SCRIPT: play the commands of a page, in namespaces that the caller has
# made: no network but loopback, no processes but these, and in the project's own place the copy
# TREE, so that what the commands write is thrown away and addresses and ports are the page's own.
set -eu
tree=$1 venv=$2 hosts=$3 script=$4 root=$PWD

mount --make-rprivate /
mount -t proc proc /proc
mkdir -p "$tree/.venv"
mount --bind "$venv" "$tree/.venv"
mount --rbind "$tree" "$root"
mount --bind "$hosts" /etc/hosts
ip link set lo up
cd "$root" # anew: the old one is what lies beneath
exec bash -eu "$script"
