#!/bin/sh
# /usr/local/bin/tradebaas: commands the service without naming its files. What names a --config or
# a --data itself is left as it is. TRADEBAAS=one tradebaas status: the instance tradebaas@one.
set -eu

program=${TRADEBAAS_PROGRAM:-/opt/tradebaas/current/venv/bin/tradebaas}
settings=/etc/tradebaas
instance=${TRADEBAAS:-}
if [ -n "$instance" ]; then
    config=$settings/$instance.toml data=/var/lib/tradebaas-$instance secret=$settings/$instance.secret
else
    config=$settings/tradebaas.toml data=/var/lib/tradebaas secret=$settings/client-secret
fi

for word in "$@"; do
    case $word in
    --config | --config=* | --data | --data=*) exec "$program" "$@" ;;
    esac
done

words=0
case ${1:-} in
run | check | trial | status | start | stop | halt | resume | close | move-stop | state | log | \
    verify | audit | import) words=1 ;;
backup)
    case ${2:-} in
    list | create | copy | verify | restore | drill | gap) words=2 ;;
    esac
    ;;
esac
[ "$words" -gt 0 ] || exec "$program" "$@"

# As the service is given them; who may not read them does not get them here either.
if [ -z "${TRADEBAAS_CLIENT_SECRET:-}" ] && [ -r "$secret" ]; then
    TRADEBAAS_CLIENT_SECRET=$(cat "$secret")
    export TRADEBAAS_CLIENT_SECRET
fi
if [ -z "${TRADEBAAS_AUDIT_SECRET:-}" ] && [ -r "$settings/audit-secret" ]; then
    TRADEBAAS_AUDIT_SECRET=$(cat "$settings/audit-secret")
    export TRADEBAAS_AUDIT_SECRET
fi

first=$1
shift
if [ "$words" -eq 2 ]; then
    second=$1
    shift
    exec "$program" "$first" "$second" --config "$config" --data "$data" "$@"
fi
exec "$program" "$first" --config "$config" --data "$data" "$@"
