#!/bin/sh
# Starts an unpacked program with the libraries that came with it. May be moved with its folder.
root=$(dirname -- "$(readlink -f -- "$0")")/root
libraries=$root/LIBRARIES
# A machine without a graphics card draws in software.
if test -d "$libraries/dri"; then
    export LIBGL_ALWAYS_SOFTWARE="${LIBGL_ALWAYS_SOFTWARE:-1}"
    export LIBGL_DRIVERS_PATH="$libraries/dri"
    export __EGL_VENDOR_LIBRARY_DIRS="$root/usr/share/glvnd/egl_vendor.d"
    export XKB_CONFIG_ROOT="$root/usr/share/X11/xkb"
fi
exec "$root/LOADER" --library-path "$libraries:$libraries/pulseaudio" --argv0 SCRIPT "$root/PROGRAM" "$@"
