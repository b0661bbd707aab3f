#!/bin/sh
# Runs a command that knows PostgreSQL's own variables, but no files of secrets, with the password in PGPASSWORD_FILE:
#   PGPASSWORD_FILE=/run/secrets/mlflow_database_password with_password.sh mlflow server ...
set -eu

# What editors add, a byte order mark and the end of the line, is no part of it.
PGPASSWORD="$(LC_ALL=C sed '1s/^\xEF\xBB\xBF//' "$PGPASSWORD_FILE" 2> /dev/null | tr -d '\r\n')"
[ -n "$PGPASSWORD" ] || {
  echo "$PGPASSWORD_FILE is missing, unreadable for user $(id -u) or empty; put the password there" >&2
  exit 1
}
export PGPASSWORD
exec "$@"
