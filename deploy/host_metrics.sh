#!/bin/sh
# What only the host sees, as text for node exporter: how often Docker has restarted each container of the stack, whether
# it runs and is well, and the bytes of the network. Writes <folder>/host.prom, whole or not at all.
set -eu

folder="${1:-$(dirname "$0")/host_metrics}"
project="${2:-fraud-platform}"
counted="${NET_DEV:-/proc/net/dev}"

mkdir -p "$folder"
# node exporter reads *.prom; a name before it is complete is none.
new="$folder/host.prom.$$"
trap 'rm -f "$new"' EXIT

containers() {
  docker ps --all --quiet --filter "label=com.docker.compose.project=$project" | xargs -r docker inspect --format \
    '{{index .Config.Labels "com.docker.compose.service"}} {{.RestartCount}} {{.State.Running}} {{with .State.Health}}{{.Status}}{{else}}healthy{{end}}'
}

found="$(containers)"
{
  echo "$found" | awk '
    BEGIN {
      print "# HELP fraud_container_restarts_total How often Docker has restarted the container of a service."
      print "# TYPE fraud_container_restarts_total counter"
      print "# HELP fraud_container_running 1 where the container of a service runs."
      print "# TYPE fraud_container_running gauge"
      print "# HELP fraud_container_healthy 1 where its health check passes."
      print "# TYPE fraud_container_healthy gauge"
    }
    NF == 4 {
      printf "fraud_container_restarts_total{service=\"%s\"} %d\n", $1, $2
      printf "fraud_container_running{service=\"%s\"} %d\n", $1, $3 == "true"
      printf "fraud_container_healthy{service=\"%s\"} %d\n", $1, $3 == "true" && $4 == "healthy"
    }'
  # The machine itself is no bridge, no pair between containers, and not its own loopback.
  awk '
    BEGIN {
      print "# HELP fraud_host_network_bytes_total Bytes that a network device of the machine has received and sent."
      print "# TYPE fraud_host_network_bytes_total counter"
    }
    # A long name stands without a space before its numbers.
    { sub(":", " ") }
    NR > 2 && $1 !~ /^(lo|docker|veth|br-)/ {
      printf "fraud_host_network_bytes_total{device=\"%s\",direction=\"received\"} %s\n", $1, $2
      printf "fraud_host_network_bytes_total{device=\"%s\",direction=\"sent\"} %s\n", $1, $10
    }' "$counted"
} > "$new"
mv "$new" "$folder/host.prom"
