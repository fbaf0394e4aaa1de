#!/bin/sh
# enter-cgroup.sh FILE... -- PROGRAM [ARGUMENT]...
# Joins the cgroups whose cgroup.procs are the FILEs and becomes PROGRAM. No program can be born in a
# cgroup of a v1 host, and once it is inside a container's namespaces it may no longer join one.
set -e
while [ "$1" != -- ]; do
    echo $$ > "$1"
    shift
done
shift
exec "$@"
