#!/bin/sh
# Runs a command where the keys that sign models and the audit trail come as variables, as ECS hands out secrets: the
# entry point of a task. Each goes to a file that only the task's user reads, and the command knows no more than its name.
#   MODEL_KEY=... AUDIT_KEY=... with_keys.sh fraud-platform doctor
set -eu

: "${MODEL_KEY:?is missing or empty; the task definition must hand it out}"
: "${AUDIT_KEY:?is missing or empty; the task definition must hand it out}"

# Others may not enter the folder that this makes.
folder="$(mktemp -d)"
printf '%s' "$MODEL_KEY" > "$folder/model_key"
printf '%s' "$AUDIT_KEY" > "$folder/audit_key"
unset MODEL_KEY AUDIT_KEY
export FRAUD_MODEL_KEY_FILE="$folder/model_key" FRAUD_AUDIT_KEY_FILE="$folder/audit_key"
exec "$@"
