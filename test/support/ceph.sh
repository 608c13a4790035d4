#!/bin/sh
# A whole Ceph with an S3 gateway on loopback, its data in memory. It lives as long as its standard input stays open: when
# whoever holds that dies, however it dies, the servers are killed and the folder is removed.
# usage: ceph.sh FOLDER S3_PORT MON_PORT ADMIN_KEY ADMIN_SECRET      prints "ready" once the gateway answers
set -eu
folder=$1 s3=$2 mon=$3 key=$4 secret=$5
servers=
finish() {
  # Killed, not asked to end: nothing in it is worth writing out.
  for server in $servers; do kill -KILL "$server" 2>/dev/null || true; done
  rm -rf "$folder"
}
trap finish EXIT
trap 'exit 1' INT TERM HUP
cd /
mkdir -p "$folder/mon" "$folder/osd"
fsid=$(cat /proc/sys/kernel/random/uuid)
osd=$(cat /proc/sys/kernel/random/uuid)
export CEPH_CONF="$folder/ceph.conf"
cat >"$CEPH_CONF" <<CONF
[global]
fsid = $fsid
mon_host = v2:127.0.0.1:$mon
public_addr = 127.0.0.1
cluster_addr = 127.0.0.1
ms_bind_ipv6 = false
auth_cluster_required = cephx
auth_service_required = cephx
auth_client_required = cephx
keyring = $folder/keyring
run_dir = $folder
admin_socket =
pid_file =
log_file = $folder/\$name.log
mon_data = $folder/mon
mon_data_avail_crit = 1
mon_data_avail_warn = 2
mon_allow_pool_size_one = true
mon_max_pg_per_osd = 1000
osd_data = $folder/osd
osd_objectstore = memstore
memstore_device_bytes = 4294967296
osd_memory_target = 939524096
osd_pool_default_size = 1
osd_pool_default_min_size = 1
osd_pool_default_pg_num = 4
osd_pool_default_pgp_num = 4
osd_pool_default_pg_autoscale_mode = off
osd_crush_chooseleaf_type = 0
osd_crush_initial_weight = 1
osd_class_load_list = *
osd_class_default_list = *
[client.rgw]
rgw_frontends = beast endpoint=127.0.0.1:$s3 tcp_nodelay=1
rgw_thread_pool_size = 64
rgw_cache_lru_size = 1000
# So that a listing of a few hundred objects has pages.
rgw_max_listing_results = 100
rgw_enable_usage_log = false
rgw_gc_obj_min_wait = 1
rgw_gc_processor_period = 2
CONF
for who in mon. client.admin client.rgw osd.0; do
  ceph-authtool --create-keyring "$folder/one" --gen-key -n "$who" --cap mon 'allow *' --cap osd 'allow *' >/dev/null
  [ -e "$folder/keyring" ] || ceph-authtool --create-keyring "$folder/keyring" >/dev/null
  ceph-authtool "$folder/keyring" --import-keyring "$folder/one" >/dev/null
done
monmaptool --create --fsid "$fsid" --enable-all-features --addv a "[v2:127.0.0.1:$mon]" "$folder/monmap" >/dev/null
{
  ceph-mon --mkfs -i a --monmap "$folder/monmap" --keyring "$folder/keyring"
  ceph-mon -f -i a & servers="$servers $!"
  timeout 60 ceph osd new "$osd"
  ceph-osd -i 0 --mkfs --osd-uuid "$osd"
  ceph-osd -f -i 0 & servers="$servers $!"
  radosgw -f -n client.rgw & servers="$servers $!"
  timeout 120 radosgw-admin -n client.rgw user create --uid=admin --display-name=admin --access-key="$key" \
    --secret-key="$secret" --caps='users=*;buckets=*'
} >"$folder/log" 2>&1 </dev/null || { tail -n 20 "$folder/log" >&2; exit 1; }
tries=0
until curl -s -o /dev/null "http://127.0.0.1:$s3/"; do
  tries=$((tries + 1))
  [ "$tries" -lt 240 ] || { tail -n 20 "$folder"/*.log >&2; exit 1; }
  sleep 0.25
done
echo ready
cat >/dev/null
