#!/usr/bin/env bash
# Builds Kubernetes 1.20.2, the newest version of which Debian 12 has the whole source, into a folder.
#
# usage: hack/kube/build.sh FOLDER    (hack/kubernetes build calls it)
#
# Takes 5 to 12 minutes on two cores, 4 GB of memory and 5 GB of disk. Uses only the mirrors that apt is configured for.

source "$(dirname "${BASH_SOURCE[0]}")/../lib.sh"
answer_help "$@"
[ $# = 1 ] || fail "FOLDER is needed"

version=1.20.2
mkdir -p "$1"
into=$(cd "$1" && pwd)
work=$(mktemp -d "${TMPDIR:-/tmp}/swiftwater-kubernetes.XXXXXX")
trap 'rm -rf "$work"' EXIT
step() { printf '%5d s  %s\n' "$SECONDS" "$*"; }
# Runs quietly; the end of what was said is shown when it fails.
quietly() { "$@" >>"$work/log" 2>&1 || { tail -n 20 "$work/log" >&2; fail "this failed: $*"; }; }

step "tools"
install_packages golang-1.19-go golang-github-modern-go-reflect2-dev dpkg-dev make gcc libc6-dev rsync xz-utils ca-certificates

step "source package"
# apt's configuration may name no sources: the same places, asked for sources, in lists of our own.
keys=/usr/share/keyrings/debian-archive-keyring.gpg
signed=
[ ! -e $keys ] || signed="[signed-by=$keys] "
apt-get indextargets --format '$(ORIGIN)|$(COMPONENT)|$(REPO_URI) $(RELEASE)' 'Identifier: Packages' |
  sed -n "s#^Debian|main|\(.*\)#deb-src $signed\1 main#p" | sort -u >"$work/sources.list"
[ -s "$work/sources.list" ] || fail "apt knows no mirror of Debian's main component"
mkdir -p "$work/lists/partial" "$work/cache/archives/partial" "$work/source"
own=(-o "Dir::Etc::sourcelist=$work/sources.list" -o Dir::Etc::sourceparts=- -o "Dir::State::lists=$work/lists"
  -o "Dir::Cache=$work/cache" -o APT::Sandbox::User=root)
quietly apt-get -q "${own[@]}" update
cd "$work/source"
quietly apt-get -q "${own[@]}" source --download-only "kubernetes"
# apt has checked the hashes against the signed index.
quietly dpkg-source --extract --no-copy kubernetes_*"$version"*.dsc tree
# The copy of reflect2 in it writes JSON wrongly when compiled by Go 1.18 or newer; Debian packages the mended one.
rm -rf tree/vendor/github.com/modern-go/reflect2
cp -rL /usr/share/gocode/src/github.com/modern-go/reflect2 tree/vendor/github.com/modern-go/

step "generated files"
export GO111MODULE=off GOPATH=$work/go GOCACHE=$work/cache/go CGO_ENABLED=0 GOFLAGS= GOTOOLCHAIN=local
export PATH=/usr/lib/go-1.19/bin:$PATH
mkdir -p "$GOPATH/src/k8s.io"
ln -s "$work/source/tree" "$GOPATH/src/k8s.io/kubernetes"
cd "$GOPATH/src/k8s.io/kubernetes"
quietly make generated_files

step "programs"
flags="-s -w -buildid="
for package in component-base/version client-go/pkg/version; do
  for value in gitVersion=v$version gitMajor=1 gitMinor=20 gitTreeState=archive; do
    flags+=" -X k8s.io/kubernetes/vendor/k8s.io/$package.$value"
  done
done
quietly go build -p "$jobs" -trimpath -ldflags "$flags" -o "$into/" \
  ./cmd/kube-apiserver ./cmd/kube-controller-manager ./cmd/kube-scheduler ./cmd/kubelet ./cmd/kube-proxy

step "done: $("$into/kube-apiserver" --version) in $into"
