#!/bin/sh
# Makes the secrets that docker-compose.yml reads, in deploy/secrets or the folder named: only those that are missing, so
# it may run again. With "development" as the first word also the key of the S3 server of that profile.
set -eu

kind=production
[ "${1:-}" != development ] || { kind=development; shift; }
folder="${1:-$(dirname "$0")/secrets}"
mkdir -p "$folder"
# Nobody but the owner enters the folder. The files themselves are readable, because containers see them under users of
# their own.
chmod 700 "$folder"
umask 022

make() {
  if [ -e "$folder/$1" ]; then cat > /dev/null; return; fi
  cat > "$folder/$1.new"
  mv "$folder/$1.new" "$folder/$1"
  echo "made $folder/$1"
}

random() {
  od -An -N24 -tx1 /dev/urandom | tr -d ' \n'
}

random | make postgres_password
random | make dagster_database_password
random | make mlflow_database_password
# What signs models and the entries of the audit trail. A copy belongs where nobody who writes storage or registry reads.
random | make model_key
random | make audit_key
# Who may look at the web pages, one "name hash" a line; empty lets nobody in. A hash is made by
#   docker compose -f deploy/docker-compose.yml run --rm --no-deps proxy caddy hash-password
: | make web_users
# Where alerts go: the address of a chat's incoming webhook, what the mail server takes as a password, the pager's routing
# key. A channel whose file is empty reaches nobody, and says so in Alertmanager's log at each alert.
: | make alertmanager_chat_url
: | make alertmanager_mail_login
: | make alertmanager_pager_key
# Who is told of failed runs, releases and rollbacks: Apprise URLs, one a line; empty tells nobody.
: | make alert_urls

if [ "$kind" = development ] && [ ! -e "$folder/aws_credentials" ]; then
  key="$(random)"
  printf '[default]\naws_access_key_id = development\naws_secret_access_key = %s\n' "$key" | make aws_credentials
  printf '{"identities": [{"name": "development", "credentials": [{"accessKey": "development", "secretKey": "%s"}], "actions": ["Admin"]}]}\n' "$key" |
    make development_s3
fi
# Empty: the machine's role gives the credentials. For keys, fill it in like any AWS credentials file.
: | make aws_credentials

for name in web_users alertmanager_chat_url alertmanager_mail_login alertmanager_pager_key alert_urls; do
  [ -s "$folder/$name" ] || echo "to be filled in by you: $folder/$name"
done
