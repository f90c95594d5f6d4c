# What the lab's network is made of, as functions for sh: a network namespace is a machine.
PATH=$PATH:/usr/sbin:/sbin:/usr/local/sbin

# The system raises a link some time after the command, and drops packets until then.
wait_for_link() { # MACHINE INTERFACE
    for try in $(seq 500); do
        state=$(ip netns exec $1 cat /sys/class/net/$2/operstate)
        test "$state" = up && return 0
        sleep 0.01
    done
    echo "$2 in $1 stays down" >&2
    return 1
}

# Every machine forwards packets for others, and accepts them on any interface; what passes a
# router's switch does not pass its rules.
make_machine() { # MACHINE
    ip netns add $1
    ip -n $1 link set lo up
    ip netns exec $1 sh -e -c '
        cd /proc/sys/net
        echo 1 > ipv4/ip_forward
        echo 0 > ipv4/conf/all/rp_filter
        echo 0 > ipv4/conf/default/rp_filter
        test ! -e bridge || echo 0 > bridge/bridge-nf-call-iptables'
}

# Connects a machine to the world, by a link with an address at each end.
attach() { # WORLD LINK ADDRESS_IN_WORLD MACHINE ADDRESS
    ip link add wan netns $4 type veth peer name $2 netns $1
    ip -n $1 address add $3/31 dev $2
    ip -n $1 link set $2 up
    ip -n $4 address add $5/31 dev wan
    ip -n $4 link set wan up
    ip -n $4 route add default via $3
    wait_for_link $1 $2
    wait_for_link $4 wan
}

# Gives a router the switch that its players are plugged into. Without snooping multicast reaches
# everyone, as on a home's switch.
add_switch() { # ROUTER NETWORK
    ip -n $1 link add lan type bridge forward_delay 0 stp_state 0 mcast_snooping 0
    ip -n $1 address add $2.1/24 dev lan
    ip -n $1 link set lan up
}

# Plugs a machine into a router's switch.
plug() { # ROUTER NETWORK HOST MACHINE INTERFACE
    ip link add $5 netns $4 type veth peer name plug$3 netns $1
    ip -n $1 link set plug$3 master lan
    ip -n $1 link set plug$3 up
    ip -n $4 address add $2.$3/24 dev $5
    ip -n $4 link set $5 up
    ip -n $4 route add default via $2.1
    wait_for_link $1 plug$3
    wait_for_link $1 lan
    wait_for_link $4 $5
}

# Sets after which time a router forgets what was not used. The settings appear with the first rule
# that needs the connection table.
set_udp_timeout() { # ROUTER SECONDS
    ip netns exec $1 sh -e -c "
        cd /proc/sys/net/netfilter
        echo $2 > nf_conntrack_udp_timeout
        echo $2 > nf_conntrack_udp_timeout_stream"
}

# Ends what runs on machines, and removes them. Goes on when one resists.
remove_machines() { # MACHINE...
    failed=0
    for machine in "$@"; do
        for process in $(ip netns pids $machine); do
            kill -KILL $process || true
        done
        ip netns delete $machine || failed=1
    done
    return $failed
}
