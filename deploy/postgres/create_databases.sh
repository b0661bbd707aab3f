#!/bin/sh
# Makes the two databases, each with an owner that sees only its own. The PostgreSQL image runs this when its volume is
# new; on a server of another kind run it once yourself, with psql's own variables (PGHOST, PGUSER, ...) and
# SECRETS=<folder>. What exists stays; a password that differs from its file is set anew, which is how one is rotated.
set -eu

secrets="${SECRETS:-/run/secrets}"
user="${POSTGRES_USER:-${PGUSER:-postgres}}"

for name in dagster mlflow; do
  PASSWORD_FILE="$secrets/${name}_database_password"
  export PASSWORD_FILE
  # A missing file must not become an empty password.
  [ -n "$(cat "$PASSWORD_FILE" 2> /dev/null | tr -d '\r\n')" ] || { echo "$PASSWORD_FILE is missing, unreadable or empty" >&2; exit 1; }
  # psql reads the password itself, so that it appears in no list of processes. What editors add, a byte order mark and the
  # end of the line, is no part of it: the platform and with_password.sh read it so, too.
  psql --no-psqlrc --quiet --username "$user" --dbname postgres --set ON_ERROR_STOP=1 --set name="$name" <<'SQL'
\set password `LC_ALL=C sed '1s/^\xEF\xBB\xBF//' "$PASSWORD_FILE" | tr -d '\r\n'`
SET log_min_error_statement = panic;
SET log_statement = none;
SELECT format('CREATE ROLE %I LOGIN', :'name') WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'name') \gexec
ALTER ROLE :"name" PASSWORD :'password';
SELECT format('CREATE DATABASE %I OWNER %I', :'name', :'name')
  WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = :'name') \gexec
REVOKE ALL ON DATABASE :"name" FROM PUBLIC;
SQL
done
