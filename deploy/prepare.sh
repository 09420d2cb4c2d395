#!/bin/sh
# Makes what compose.yaml mounts, once: passwords in deploy/secrets, and the folders of inbox, store and training data.
# Run as root from anywhere; what is there already stays as it is. DATA_FOLDER and TRAINING_FOLDER as for compose.
set -eu
cd "$(dirname "$0")"
user=10001:10001 # as in the Dockerfile

if [ ! -e secrets ]; then
  draft=$(mktemp -d secrets.XXXXXX) # mode 0700: the files may be read by whoever a container runs as, but on this host by root alone
  trap 'rm -rf "$draft"' EXIT
  password() { od -An -N24 -tx1 /dev/urandom | tr -d ' \n'; }
  database=$(password)
  broker=$(password)
  printf '%s\n' "$database" > "$draft/postgres_password"
  printf 'postgresql://lungline:%s@postgres/lungline\n' "$database" > "$draft/lungline_database_url"
  printf 'redis://:%s@valkey:6379/0\n' "$broker" > "$draft/lungline_broker_url"
  printf 'bind * -::*\nprotected-mode yes\nrequirepass %s\nsave ""\nappendonly no\nmaxmemory-policy noeviction\n' "$broker" > "$draft/valkey.conf"
  chmod 0444 "$draft"/*
  mv "$draft" secrets
  trap - EXIT
fi

data=${DATA_FOLDER:-/srv/lungline}
mkdir -p "$data/inbox" "$data/store" "${TRAINING_FOLDER:-/srv/lungline-training}/weights"
chown "$user" "$data/inbox" "$data/store"
chmod 0700 "$data/store"
