//! The official release of Godot, from the project's release page.

use std::io::{Cursor, Read as _};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};
use noray_testkit::files;
use noray_testkit::godot::Godot;
use sha2::{Digest, Sha512};
use ureq::Agent;
use ureq::tls::{RootCerts, TlsConfig};

use crate::{defaults, one_step, progress};

/// Where releases lie, by tag.
const RELEASES: &str = "https://github.com/godotengine/godot/releases/download";

/// The release's list of checksums.
const SUMS: &str = "SHA512-SUMS.txt";

/// What the release has for this platform.
struct Build {
    /// The archive's name.
    archive: String,
    /// The executable's path in it.
    executable: String,
}

fn build() -> Result<Build> {
    let version = defaults::OFFICIAL_GODOT;
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    let file = match (os, arch) {
        ("linux", "x86_64") => "linux.x86_64",
        ("linux", "aarch64") => "linux.arm64",
        ("windows", "x86_64") => "win64.exe",
        ("windows", "aarch64") => "windows_arm64.exe",
        ("macos", _) => "macos.universal",
        _ => bail!("there is none for {os} on {arch}"),
    };
    let name = format!("Godot_v{version}-stable_{file}");
    Ok(Build {
        archive: format!("{name}.zip"),
        executable: if os == "macos" {
            "Godot.app/Contents/MacOS/Godot".to_owned()
        } else {
            name
        },
    })
}

fn folder(store: &Path) -> PathBuf {
    store.join(format!("official-{}", defaults::OFFICIAL_GODOT))
}

/// Returns where the release's executable lies in a store.
pub(crate) fn executable(store: &Path) -> Result<PathBuf> {
    Ok(folder(store).join(build()?.executable))
}

/// Downloads the release into `store`. The caller holds the store's lock.
pub(crate) fn fetch(store: &Path) -> Result<()> {
    let release = format!("{RELEASES}/{}-stable", defaults::OFFICIAL_GODOT);
    fetch_from(&release, &build()?, &folder(store))
}

fn fetch_from(release: &str, build: &Build, folder: &Path) -> Result<()> {
    one_step::make_folder(folder, |part| {
        let archive = download(release, &build.archive)?;
        zip::ZipArchive::new(Cursor::new(archive))
            .and_then(|mut zip| zip.extract(part))
            .with_context(|| format!("cannot unpack {}", build.archive))?;
        let executable = part.join(&build.executable);
        if !executable.is_file() {
            bail!("{} holds no {}", build.archive, build.executable);
        }
        files::make_executable(&executable)?;
        Godot::at(&executable).map(drop)
    })
}

/// Returns an archive of a release that is what its list of checksums says.
fn download(release: &str, name: &str) -> Result<Vec<u8>> {
    let agent = agent();
    let list = get(&agent, &format!("{release}/{SUMS}"))?
        .body_mut()
        .read_to_string()
        .with_context(|| format!("cannot read {release}/{SUMS}"))?;
    let wanted = checksum(&list, name).with_context(|| format!("{SUMS} does not name {name}"))?;

    let url = format!("{release}/{name}");
    let mut response = get(&agent, &url)?;
    let length = response.body().content_length().unwrap_or(0);
    let bar = progress::of_bytes(&format!("downloading {name}"), length);
    let mut archive = Vec::new();
    bar.wrap_read(response.body_mut().as_reader())
        .read_to_end(&mut archive)
        .with_context(|| format!("cannot download {url}"))?;
    bar.finish_and_clear();
    let got = digest(&archive);
    if got != wanted {
        bail!("{url} is not what its release says: SHA-512 {got} instead of {wanted}");
    }
    Ok(archive)
}

fn agent() -> Agent {
    Agent::config_builder()
        .timeout_resolve(Some(defaults::DOWNLOAD_CONNECT))
        .timeout_connect(Some(defaults::DOWNLOAD_CONNECT))
        .timeout_recv_response(Some(defaults::DOWNLOAD_RESPONSE))
        .timeout_recv_body(Some(defaults::DOWNLOAD_BODY))
        // The machine's own certificates: a company's network may have its own authority.
        .tls_config(
            TlsConfig::builder()
                .root_certs(RootCerts::PlatformVerifier)
                .build(),
        )
        .build()
        .into()
}

fn get(agent: &Agent, url: &str) -> Result<ureq::http::Response<ureq::Body>> {
    agent
        .get(url)
        .call()
        .with_context(|| format!("cannot download {url}"))
}

/// Returns the checksum of `name` in a list of lines `<hex>  <name>`.
fn checksum(list: &str, name: &str) -> Option<String> {
    list.lines()
        .filter_map(|line| line.split_once(char::is_whitespace))
        .find(|(_, file)| file.trim_start().trim_start_matches('*').trim_end() == name)
        .map(|(sum, _)| sum.to_ascii_lowercase())
}

fn digest(bytes: &[u8]) -> String {
    let bytes = Sha512::digest(bytes);
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(all(test, unix))]
mod tests {
    use std::collections::HashMap;
    use std::fs;
    use std::io::{BufRead, BufReader, Write};
    use std::net::TcpListener;
    use std::thread;

    use super::*;

    #[test]
    fn checksums_are_found_by_name() {
        let list = "ABCD  Godot_linux.zip\n1234 *Godot_mac.zip\r\n";
        assert_eq!(checksum(list, "Godot_linux.zip").unwrap(), "abcd");
        assert_eq!(checksum(list, "Godot_mac.zip").unwrap(), "1234");
        assert_eq!(checksum(list, "linux.zip"), None);
    }

    #[test]
    fn this_platform_has_a_build() {
        assert!(build().unwrap().archive.starts_with("Godot_v4."));
    }

    /// A release page on this machine.
    fn serve(pages: HashMap<String, Vec<u8>>) -> String {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut reader = BufReader::new(stream.try_clone().unwrap());
                let mut request = String::new();
                reader.read_line(&mut request).unwrap();
                let mut line = String::new();
                while reader.read_line(&mut line).unwrap() > 2 {
                    line.clear();
                }
                let path = request.split(' ').nth(1).unwrap().trim_start_matches('/');
                let (status, body) = match pages.get(path) {
                    Some(body) => ("200 OK", body.as_slice()),
                    None => ("404 Not Found", &[][..]),
                };
                let length = body.len();
                let _ = write!(
                    stream,
                    "HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
                );
                let _ = stream.write_all(body);
            }
        });
        format!("http://{address}")
    }

    fn archive(script: &str) -> Vec<u8> {
        let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
        zip.start_file("Godot", zip::write::SimpleFileOptions::default())
            .unwrap();
        zip.write_all(script.as_bytes()).unwrap();
        zip.finish().unwrap().into_inner()
    }

    fn try_release(pages: HashMap<&str, Vec<u8>>) -> (Result<()>, tempfile::TempDir) {
        let store = tempfile::tempdir().unwrap();
        let build = Build {
            archive: "Godot.zip".to_owned(),
            executable: "Godot".to_owned(),
        };
        // What an interrupted fetch may have left.
        fs::create_dir_all(store.path().join("official.part/rest")).unwrap();
        let pages = pages
            .into_iter()
            .map(|(name, page)| (name.to_owned(), page));
        let release = serve(pages.collect());
        let result = fetch_from(&release, &build, &store.path().join("official"));
        (result, store)
    }

    /// Fetches a release with this Godot, whose checksum is that of `listed`.
    fn try_godot(script: &str, listed: &[u8]) -> (Result<()>, tempfile::TempDir) {
        let sums = format!("{}  Godot.zip\n", digest(listed));
        try_release(HashMap::from([
            (SUMS, sums.into_bytes()),
            ("Godot.zip", archive(script)),
        ]))
    }

    const GOOD: &str = "#!/bin/sh\necho 4.6.3.stable.official\n";

    #[test]
    fn a_release_is_checked_unpacked_and_run() {
        let (result, store) = try_godot(GOOD, &archive(GOOD));
        result.unwrap();
        assert!(store.path().join("official/Godot").is_file());
        let entries = |folder: &Path| files::entries(folder).unwrap().len();
        assert_eq!(entries(store.path()), 1);
        assert_eq!(entries(&store.path().join("official")), 1);
    }

    #[test]
    fn a_wrong_archive_is_refused_and_leaves_nothing() {
        let (result, store) = try_godot(GOOD, b"another");
        let error = format!("{:#}", result.unwrap_err());
        assert!(error.contains("is not what its release says"), "{error}");
        assert!(files::entries(store.path()).unwrap().is_empty());
    }

    #[test]
    fn an_archive_whose_godot_does_not_run_is_refused() {
        let script = "#!/bin/sh\nexit 127\n";
        let (result, store) = try_godot(script, &archive(script));
        assert!(result.is_err());
        assert!(files::entries(store.path()).unwrap().is_empty());
    }

    #[test]
    fn a_missing_release_is_an_error() {
        let (result, _store) = try_release(HashMap::new());
        let error = format!("{:#}", result.unwrap_err());
        assert!(error.contains(SUMS) && error.contains("404"), "{error}");
    }
}
