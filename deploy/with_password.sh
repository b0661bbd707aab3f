#!/bin/sh
# Runs a command that knows PostgreSQL's own variables, but no files of secrets, with the password in PGPASSWORD_FILE:
#   PGPASSWORD_FILE=/run/secrets/mlflow_database_password with_password.sh mlflow server ...
set -eu

PGPASSWORD="$(cat "$PGPASSWORD_FILE")" || PGPASSWORD=""
[ -n "$PGPASSWORD" ] || {
  echo "$PGPASSWORD_FILE is missing, unreadable for user $(id -u) or empty; put the password there" >&2
  exit 1
}
export PGPASSWORD
exec "$@"
