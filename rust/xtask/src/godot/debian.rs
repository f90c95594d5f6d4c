//! Debian's Godot, unpacked into a folder of its own with all the libraries it needs: Debian 12
//! itself has no Godot 4, but the suite `sid` has.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use noray_testkit::files;
use noray_testkit::godot::Godot;

use crate::debian::{self, Machine, Wanted};

/// Godot (about 160 MB with its libraries), if possible with what draws windows in software,
/// for a machine without a graphics card.
const WANTED: Wanted = Wanted {
    name: "Godot and its libraries",
    packages: &[
        &[
            "godot",
            "libgl1",
            "libglx-mesa0",
            "libegl1",
            "libegl-mesa0",
            "libgl1-mesa-dri",
        ],
        &["godot"],
    ],
};

fn folder(store: &Path) -> PathBuf {
    store.join(format!("debian-{}", std::env::consts::ARCH))
}

/// The wrapper script of a copy fetched before.
pub(super) fn fetched(store: &Path) -> Option<PathBuf> {
    let script = folder(store).join("godot");
    script.is_file().then_some(script)
}

/// Downloads and unpacks the packages into `store`. The caller holds the store's lock.
pub(super) fn fetch(store: &Path) -> Result<PathBuf> {
    let folder = folder(store);
    debian::fetch(&folder, &WANTED, finish)?;
    Ok(folder.join("godot"))
}

fn finish(part: &Path, machine: &Machine) -> Result<()> {
    let root = part.join("root");
    let loader = machine.loader(&root)?;
    if !root.join("usr/bin/godot").exists() {
        bail!("the packages hold no usr/bin/godot");
    }
    let drivers = format!("usr/lib/{}/dri", machine.libraries);
    let graphics = root.join(&drivers).is_dir();
    let script = part.join("godot");
    fs::write(&script, wrapper(machine, loader, graphics))
        .with_context(|| format!("cannot write {}", script.display()))?;
    files::make_executable(&script)?;
    Godot::at(&script)?;
    Ok(())
}

/// The script that starts the unpacked Godot. It may be moved together with its folder.
fn wrapper(machine: &Machine, loader: &str, graphics: bool) -> String {
    let libraries = format!("usr/lib/{}", machine.libraries);
    let mut script = "#!/bin/sh\n\
        # Starts the unpacked Godot with the libraries that came with it.\n\
        here=$(dirname -- \"$(readlink -f -- \"$0\")\")\n\
        root=$here/root\n"
        .to_owned();
    if graphics {
        script.push_str(&format!(
            "export LIBGL_ALWAYS_SOFTWARE=\"${{LIBGL_ALWAYS_SOFTWARE:-1}}\"\n\
             export LIBGL_DRIVERS_PATH=\"$root/{libraries}/dri\"\n\
             export __EGL_VENDOR_LIBRARY_DIRS=\"$root/usr/share/glvnd/egl_vendor.d\"\n\
             export XKB_CONFIG_ROOT=\"$root/usr/share/X11/xkb\"\n"
        ));
    }
    script.push_str(&format!(
        "exec \"$root/{loader}\" \
         --library-path \"$root/{libraries}:$root/{libraries}/pulseaudio\" \
         --argv0 godot \"$root/usr/bin/godot\" \"$@\"\n"
    ));
    script
}
