#!/bin/sh
# Puts back what backup.sh wrote at MOMENT: replaces everything in both databases, what a newer version has added included,
# or nothing of one whose dump is damaged. The databases must exist (create_databases.sh) and nobody else be connected.
# With psql's own variables (PGHOST, ...).
set -eu

[ $# -eq 2 ] || { echo "usage: restore.sh FOLDER MOMENT, such as restore.sh /backups 20261125T020000Z" >&2; exit 2; }
folder="$1"
moment="$2"

umask 077
statements="$folder/.restoring-$$"
trap 'rm -f "$statements"-*.sql' EXIT
for name in dagster mlflow; do
  # Both must be whole before either is touched.
  pg_restore --no-owner --file "$statements-$name.sql" "$folder/$name-$moment.dump"
done
for name in dagster mlflow; do
  # Somebody who is still connected is told of after a minute, not waited for.
  PGOPTIONS="-c lock_timeout=60s -c client_min_messages=warning" psql --no-psqlrc --quiet --output /dev/null \
    --single-transaction --set ON_ERROR_STOP=1 --set name="$name" --dbname "$name" \
    --file - --file "$statements-$name.sql" <<'SQL'
SELECT pg_get_userbyid(nspowner) AS owner FROM pg_namespace WHERE nspname = 'public' \gset
DROP SCHEMA public CASCADE;
CREATE SCHEMA public AUTHORIZATION :"owner";
-- As PostgreSQL makes it, so that the next dump holds nothing of this.
GRANT USAGE ON SCHEMA public TO PUBLIC;
COMMENT ON SCHEMA public IS 'standard public schema';
SET ROLE :"name";
SQL
  echo "$name is as of $moment"
done
