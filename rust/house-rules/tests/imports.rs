//! No two files of a crate import each other, straight or in a circle.

use std::fs;

use noray_house_rules::{circles, crate_roots, root};

#[test]
fn no_files_import_each_other() {
    let mut found = Vec::new();
    for crate_root in crate_roots().unwrap() {
        for circle in circles(&crate_root).unwrap() {
            let files = circle.iter().map(|file| {
                let file = file.strip_prefix(root()).unwrap_or(file);
                file.display().to_string()
            });
            found.push(files.collect::<Vec<_>>().join(", "));
        }
    }
    assert!(
        found.is_empty(),
        "files import each other:\n{}",
        found.join("\n")
    );
}

/// Writes a crate of these files, each a line `name: text`, and returns how many circles it has, with
/// how many files each.
fn circle_sizes(files: &str) -> Vec<usize> {
    let folder = tempfile::tempdir().unwrap();
    for line in files.lines() {
        let (name, text) = line.trim().split_once(": ").unwrap();
        let file = folder.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }
    let circles = circles(&folder.path().join("lib.rs")).unwrap();
    circles.iter().map(Vec::len).collect()
}

#[test]
fn a_straight_line_is_none() {
    let files = "lib.rs: mod a; mod b; pub use b::B;
                 a.rs: pub struct A;
                 b.rs: use crate::a::A; pub struct B(A);";
    assert!(circle_sizes(files).is_empty());
}

#[test]
fn two_files_by_use() {
    let files = "lib.rs: mod a; mod b;
                 a.rs: use super::b::B; pub struct A(B);
                 b.rs: use crate::{a::A}; pub struct B(A);";
    assert_eq!(circle_sizes(files), [2]);
}

#[test]
fn a_path_in_code_and_one_in_a_macro_count() {
    let files = r#"lib.rs: mod a; mod b;
                   a.rs: pub fn a() { crate::b::b(); }
                   b.rs: pub fn b() { println!("{}", { crate::a::a() }); }"#;
    assert_eq!(circle_sizes(files), [2]);
}

#[test]
fn a_re_export_does_not_hide_one() {
    let files = "lib.rs: mod parts;
                 parts/mod.rs: mod a; mod b; pub use a::A; pub use b::B;
                 parts/a.rs: use super::B; pub struct A(B);
                 parts/b.rs: use super::A; pub struct B(A);";
    assert_eq!(circle_sizes(files), [2]);
}

#[test]
fn three_files_in_a_circle_and_a_child_with_its_parent() {
    let files = "lib.rs: mod a; mod b; mod c; mod d;
                 a.rs: use crate::b::B; pub struct A(B);
                 b.rs: use crate::c::C; pub struct B(C);
                 c.rs: use crate::a::A; pub struct C(A);
                 d.rs: mod e; pub struct D; pub fn d() { e::e(); }
                 d/e.rs: use super::D; pub fn e() -> D { D }";
    assert_eq!(circle_sizes(files), [3, 2]);
}

#[test]
fn what_only_tests_import_does_not_count() {
    let files = "lib.rs: mod a; mod b;
                 a.rs: pub struct A; #[cfg(test)] mod tests { use crate::b::B; }
                 b.rs: use crate::a::A; pub struct B(A);";
    assert!(circle_sizes(files).is_empty());
}
