//! Copies and replaces files so that a program that uses them meanwhile does not notice.

use std::io;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use fs_err as fs;

/// Waits until nobody else holds the lock file `path`, and says so on stderr when it has to wait.
/// It is held for as long as the returned file lives, also against other processes.
///
/// # Errors
/// The file cannot be made or locked.
pub fn lock(path: &Path) -> Result<std::fs::File> {
    if let Some(folder) = path.parent() {
        create_folder(folder)?;
    }
    let mut options = fs::OpenOptions::new();
    let options = options.create(true).truncate(false).write(true);
    let file = options.open(path)?.into_file();
    if file.try_lock().is_err() {
        eprintln!("waiting for another run that holds {}", path.display());
        file.lock()
            .with_context(|| format!("cannot lock {}", path.display()))?;
    }
    Ok(file)
}

/// Makes a folder and those above it.
pub fn create_folder(folder: &Path) -> Result<()> {
    Ok(fs::create_dir_all(folder)?)
}

/// Removes a folder with all in it; one that is not there is fine.
pub fn remove_folder(folder: &Path) -> Result<()> {
    match fs::remove_dir_all(folder) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error.into()),
        _ => Ok(()),
    }
}

/// Puts `content` at `path` in one step: who opens it sees the old or the new file, and who
/// has it open keeps the old one.
pub fn write(path: &Path, content: &[u8]) -> Result<()> {
    let fresh = beside(path, "new");
    fs::write(&fresh, content)?;
    swap(&fresh, path)
}

/// Copies a file in one step, as [`write()`] does. An equal file stays untouched, so that an
/// open editor does not load it anew.
///
/// Returns whether anything was written.
pub fn copy(from: &Path, to: &Path) -> Result<bool> {
    if fs::read(to).is_ok_and(|old| fs::read(from).is_ok_and(|new| new == old)) {
        return Ok(false);
    }
    if let Some(folder) = to.parent() {
        create_folder(folder)?;
    }
    let fresh = beside(to, "new");
    fs::copy(from, &fresh)?;
    swap(&fresh, to)?;
    Ok(true)
}

/// Makes `to` a copy of the folder `from`. `keep` names files of `to` that stay although
/// `from` does not have them.
pub fn mirror(from: &Path, to: &Path, keep: &dyn Fn(&Path) -> bool) -> Result<()> {
    create_folder(to)?;
    for entry in entries(from)? {
        let target = to.join(entry.file_name().unwrap_or_default());
        if entry.is_dir() {
            mirror(&entry, &target, keep)?;
        } else {
            copy(&entry, &target)?;
        }
    }
    for entry in entries(to)? {
        if from.join(entry.file_name().unwrap_or_default()).exists() || keep(&entry) {
            continue;
        }
        if entry.is_dir() {
            remove_folder(&entry)?;
        } else if let Err(error) = fs::remove_file(&entry) {
            // On Windows the running game still holds a library that was set aside.
            eprintln!("{} stays for now: {error}", entry.display());
        }
    }
    Ok(())
}

/// Lets a file be run. Windows knows by the name what can be run.
pub fn make_executable(path: &Path) -> Result<()> {
    #[cfg(unix)]
    fs::set_permissions(path, std::os::unix::fs::PermissionsExt::from_mode(0o755))?;
    #[cfg(not(unix))]
    let _ = path;
    Ok(())
}

/// Returns what a folder holds, sorted.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>> {
    let entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path()));
    let mut found = entries.collect::<Result<Vec<_>>>()?;
    found.sort();
    Ok(found)
}

/// Returns a file of the same folder, for this process alone.
fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_os_string();
    name.push(format!(".{}.{ending}", std::process::id()));
    path.with_file_name(name)
}

fn swap(fresh: &Path, path: &Path) -> Result<()> {
    let Err(first) = fs::rename(fresh, path) else {
        return Ok(());
    };
    // Windows replaces no library that is in use, but lets it be renamed.
    let aside = beside(path, "old");
    let result = fs::rename(path, &aside).and_then(|()| fs::rename(fresh, path));
    let _ = fs::remove_file(&aside);
    if result.is_err() {
        let _ = fs::remove_file(fresh);
    }
    result.with_context(|| format!("cannot replace {}: {first}", path.display()))
}

#[cfg(test)]
mod tests {
    use std::io::Read as _;

    use super::*;

    #[test]
    fn mirror_copies_new_files_and_removes_old_ones_but_those_to_keep() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("bin")).unwrap();
        fs::create_dir_all(to.join("gone")).unwrap();
        fs::write(from.join("bin/library"), "new").unwrap();
        fs::write(from.join("icon.svg"), "icon").unwrap();
        fs::write(to.join("icon.svg.import"), "by Godot").unwrap();
        fs::write(to.join("gone/file"), "old").unwrap();
        fs::write(to.join("old"), "old").unwrap();

        mirror(&from, &to, &|path| {
            path.extension().is_some_and(|ending| ending == "import")
        })
        .unwrap();

        assert_eq!(fs::read(to.join("bin/library")).unwrap(), b"new");
        assert_eq!(
            entries(&to).unwrap(),
            ["bin", "icon.svg", "icon.svg.import"].map(|name| to.join(name))
        );
        assert_eq!(entries(&to.join("bin")).unwrap().len(), 1);
    }

    #[test]
    fn copy_leaves_an_equal_file_alone_and_an_open_one_whole() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::write(&from, "first").unwrap();
        assert!(copy(&from, &to).unwrap());
        assert!(!copy(&from, &to).unwrap());

        let mut open = fs::File::open(&to).unwrap();
        fs::write(&from, "other").unwrap();
        assert!(copy(&from, &to).unwrap());
        let mut seen = String::new();
        open.read_to_string(&mut seen).unwrap();
        assert_eq!(seen, "first");
        assert_eq!(fs::read(&to).unwrap(), b"other");
    }
}
