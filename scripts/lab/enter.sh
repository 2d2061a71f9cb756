# enter.sh ROOT PROJECT DENO DENO_DIR COMMAND...
# Runs COMMAND in the laboratory. The caller has given this process namespaces of its own for mounts, processes and
# shared memory (scripts/lab.ts), so nothing here outlives it or is seen by another run.
set -e
root=$1 project=$2 deno=$3 cache=$4
shift 4

mkdir -p "$root/qpki" "$root/deno-dir"
[ -e "$root/usr/local/bin/deno" ] || : > "$root/usr/local/bin/deno"
mount -t proc proc "$root/proc"
mount --rbind /dev "$root/dev"
mount -t tmpfs -o mode=1777 tmpfs "$root/dev/shm"
mount -t tmpfs -o mode=1777 tmpfs "$root/tmp"
mount -t tmpfs -o mode=755 tmpfs "$root/run"
mount --bind "$project" "$root/qpki"
mount --bind "$cache" "$root/deno-dir"
mount --bind "$deno" "$root/usr/local/bin/deno"
cp -L /etc/resolv.conf "$root/etc/resolv.conf" 2>/dev/null || true

export HOME=/root DENO_DIR=/deno-dir PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin
# not exec: this shell is the first process of its namespace and must collect orphans
chroot "$root" sh -c 'cd /qpki && exec "$@"' sh "$@"
