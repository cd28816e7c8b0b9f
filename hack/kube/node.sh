#!/usr/bin/env bash
# The first process of a node, in namespaces of its own: containerd, kubelet, kube-proxy and DNS. When it dies, so does
# everything.
#
# usage: hack/kube/node.sh FOLDER BINARIES NAME ADDRESS NAMES DOMAINS IMAGE...    (clusters.py starts it)

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
answer_help "$@"
[ $# -ge 6 ] || fail "clusters.py starts this"

folder=$1 binaries=$2 name=$3 address=$4 names=$5 domains=$6
shift 6
cd "$folder"
# Files of images have to be readable for whoever runs in them.
umask 022
mount --make-rprivate /
mkdir -p /var/log/pods /var/log/containers /var/lib/kubelet /run/containerd
mount --bind "$folder/resolv.node" /etc/resolv.conf
mount --bind "$folder/pod-logs" /var/log/pods
mount --bind "$folder/container-logs" /var/log/containers
mount --bind "$folder/kubelet" /var/lib/kubelet
mount --make-rshared /var/lib/kubelet
mount -t tmpfs tmpfs /run/containerd
mount -t tmpfs tmpfs /run/netns
# The kubelet would set these for the whole machine: it reads what it wants and leaves them alone.
for setting in vm/overcommit_memory=1 vm/panic_on_oom=0 kernel/panic=10 kernel/panic_on_oops=1 \
  kernel/keys/root_maxkeys=1000000 kernel/keys/root_maxbytes=25000000; do
  key=${setting%=*}
  printf '%s\n' "${setting#*=}" >"opt/${key//\//.}"
  mount --bind "opt/${key//\//.}" "/proc/sys/$key"
done
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin

keep() {
  local log=logs/$1.log status
  shift
  while :; do
    status=0
    "$@" >>"$log" 2>&1 </dev/null || status=$?
    printf 'ended with %d, starts again\n' "$status" >>"$log"
    sleep 1
  done
}
# It reads what is in the folder of names again whenever a file there changes, and asks nobody else.
keep dns dnsmasq --keep-in-foreground --conf-file=/dev/null --pid-file= --log-facility=- --user=root --no-resolv --no-hosts \
  --listen-address "$address" --bind-interfaces --hostsdir "$names" --local "/${domains//,//}/" &
keep containerd containerd --config "$folder/containerd.toml" &
until ctr -n k8s.io version >/dev/null 2>&1; do sleep 0.1; done
for image in "$@"; do ctr -n k8s.io images import "$image" >>logs/import.log 2>&1; done
keep kubelet "$binaries/kubelet" --config "$folder/kubelet.json" --kubeconfig "$folder/pki/kubelet.conf" \
  --hostname-override "$name" --node-ip "$address" --container-runtime remote \
  --container-runtime-endpoint unix:///run/containerd/containerd.sock &
keep kube-proxy "$binaries/kube-proxy" --kubeconfig "$folder/pki/proxy.conf" --hostname-override "$name" \
  --proxy-mode iptables --cluster-cidr 10.211.0.0/16 --oom-score-adj 0 --conntrack-max-per-core 0 \
  --conntrack-tcp-timeout-established 0 --conntrack-tcp-timeout-close-wait 0 --healthz-bind-address 127.0.0.1:10256 &
wait
