#!/bin/sh
# Writes both databases to FOLDER, each into one compressed file that pg_restore reads: <name>-<UTC time>.dump. Models and
# assets are in the bucket, which has versions and a copy of its own. With psql's own variables (PGHOST, PGUSER, ...).
set -eu

[ $# -eq 1 ] || { echo "usage: backup.sh FOLDER" >&2; exit 2; }
folder="$1"
moment="$(date -u +%Y%m%dT%H%M%SZ)"

# Whoever has a dump has the history of every decision.
umask 077
mkdir -p "$folder"
for name in dagster mlflow; do
  # A dump that was cut off must not look like one.
  pg_dump --format=custom --no-owner --dbname "$name" --file "$folder/.$name-$moment.partial"
  mv "$folder/.$name-$moment.partial" "$folder/$name-$moment.dump"
  echo "$folder/$name-$moment.dump"
done
