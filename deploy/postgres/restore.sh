#!/bin/sh
# Puts back what backup.sh wrote at MOMENT: replaces everything in both databases, or nothing of one whose dump is damaged.
# The databases must exist (create_databases.sh) and nobody else be connected. With psql's own variables (PGHOST, ...).
set -eu

[ $# -eq 2 ] || { echo "usage: restore.sh FOLDER MOMENT, such as restore.sh /backups 20261125T020000Z" >&2; exit 2; }
folder="$1"
moment="$2"

for name in dagster mlflow; do
  # Both must be whole before either is touched.
  pg_restore --list "$folder/$name-$moment.dump" > /dev/null
done
for name in dagster mlflow; do
  pg_restore --clean --if-exists --no-owner --role "$name" --single-transaction --exit-on-error \
    --dbname "$name" "$folder/$name-$moment.dump"
  echo "$name is as of $moment"
done
