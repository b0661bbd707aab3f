#!/bin/sh
# What is done to a running installation, by a person on the machine or by a workflow through on_the_server.sh:
#
#   production.sh retrain 2026-11-20          queue a retraining as of that day
#   production.sh upgrade IMAGE               run another image; runs at work are run again
#   production.sh promote 1.2.0 WHO REASON    make a registered model the champion
#   production.sh backup                      dump both databases into deploy/backups
#   production.sh doctor                      examine everything
set -eu

here="$(cd "$(dirname "$0")" && pwd)"

refuse() {
  echo "$1" >&2
  exit 2
}

compose() {
  docker compose --file "$here/docker-compose.yml" "$@"
}

# Inside the code location, which has the settings, the secrets and the programs.
inside() {
  compose exec -T code-location "$@"
}

# The whole of a text, which is one line, fits a pattern.
is_like() {
  [ "$(printf '%s' "$1" | wc -l)" -eq 0 ] && printf '%s' "$1" | grep -Eqx "$2"
}

case "${1:-}" in
  retrain)
    is_like "${2:-}" '[0-9]{4}-[0-9]{2}-[0-9]{2}' || refuse "retrain needs a day like 2026-11-20"
    inside dagster job launch --workspace /opt/fraud-platform/deploy/workspace.yaml --job retraining --tags \
      "{\"dagster/partition\": \"$2\", \"fraud/trigger\": \"manual\", \"fraud/cause\": \"asked for with production.sh\"}"
    echo "queued: a retraining as of $2; its run is in Dagster, what became of it in model_release of that day"
    ;;
  upgrade)
    is_like "${2:-}" '[A-Za-z0-9._:/@-]+' || refuse "upgrade needs the name of an image"
    # One that was built on this machine is nowhere else; and one that cannot be had must not be what a boot asks for.
    docker image inspect "$2" > /dev/null 2>&1 || IMAGE="$2" compose pull --quiet mlflow code-location webserver daemon exporter
    # What comes up next time, too, is this image. The file is replaced whole, so that a full disk cannot cut it off.
    { grep -v '^IMAGE=' "$here/.env"; echo "IMAGE=$2"; } > "$here/.env.new"
    mv "$here/.env.new" "$here/.env"
    IMAGE="$2" compose up --detach --wait --remove-orphans
    ;;
  promote)
    is_like "${2:-}" '[0-9]+(\.[0-9]+\.[0-9]+)?' || refuse "promote needs a version like 1.2.0"
    [ -n "${4:-}" ] || refuse "promote needs who wants it, and why"
    inside fraud-platform promote "$2" --approved-by "$3" --reason "$4"
    ;;
  backup)
    compose exec -T postgres backup.sh /backups
    ;;
  doctor)
    # Alertmanager says nothing of a way that leads nowhere before the first alert.
    for name in alertmanager_chat_url alertmanager_mail_login alertmanager_pager_key alert_urls; do
      [ -s "$here/secrets/$name" ] || echo "nobody is told through $name: $here/secrets/$name is empty"
    done
    inside fraud-platform doctor
    ;;
  *)
    refuse "production.sh retrain DAY | upgrade IMAGE | promote VERSION WHO REASON | backup | doctor"
    ;;
esac
