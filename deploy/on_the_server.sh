#!/bin/sh
# Runs production.sh on the machine with the tag Name=$INSTANCE_TAG through AWS Systems Manager, prints what it printed and
# ends as it ended: for workflows, which reach the machine in no other way. Its role needs ssm:SendCommand on the machine and
# on the document, and ssm:ListCommandInvocations. With $ORDERS_DOCUMENT, as Terraform makes it, only the orders of that
# document can be given; without, any, through AWS-RunShellScript, to the installation in /opt/fraud-platform or
# $INSTALLATION.
set -eu

for word in "$@"; do
  # The words become a command line of a shell over there.
  case "$word" in
    "" | *[!A-Za-z0-9._:/@-]*)
      echo "not sent: '$word' is empty or has other signs than A-Z a-z 0-9 . _ : / @ -" >&2
      exit 2
      ;;
  esac
done

command="${INSTALLATION:-/opt/fraud-platform}/deploy/production.sh $*"
if [ -n "${ORDERS_DOCUMENT:-}" ]; then
  parameters="{\"words\": [\"$*\"]}"
else
  parameters="{\"commands\": [\"$command\"], \"executionTimeout\": [\"3000\"]}"
fi
sent="$(aws ssm send-command \
  --document-name "${ORDERS_DOCUMENT:-AWS-RunShellScript}" \
  --targets "Key=tag:Name,Values=$INSTANCE_TAG" \
  --parameters "$parameters" \
  --query Command.CommandId --output text)"

# A machine needs a moment to take the command up; nobody takes it up where no machine has the tag.
tries=0
while :; do
  status="$(aws ssm list-command-invocations --command-id "$sent" \
    --query 'CommandInvocations[0].Status' --output text)"
  case "$status" in
    Pending | InProgress | Delayed | None) ;;
    *) break ;;
  esac
  tries=$((tries + 1))
  [ "$tries" -lt "${TRIES:-300}" ] || { echo "$command: still $status; is a machine tagged Name=$INSTANCE_TAG up?" >&2; exit 1; }
  sleep "${PAUSE_SECONDS:-10}"
done

aws ssm list-command-invocations --command-id "$sent" --details \
  --query 'CommandInvocations[0].CommandPlugins[0].Output' --output text
[ "$status" = Success ] || { echo "$command: $status" >&2; exit 1; }
