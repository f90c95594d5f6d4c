//! Which file of a crate imports which, and the circles among them.
//!
//! An import is any path that leads into another file of the same crate, in a `use` or in code. A
//! path through a re-export counts for the file that defines the name. Tests inside a file do not
//! count.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
    slice,
};

use anyhow::{Context, Result};
use proc_macro2::{TokenStream, TokenTree};
use syn::{
    Attribute, Item, ItemMod, ItemUse, UseTree,
    visit::{self, Visit},
};

/// Files that import each other, straight or by way of others.
pub type Circle = Vec<PathBuf>;

/// A module's path within its crate; empty for the crate's root.
type ModulePath = Vec<String>;

/// Which modules each module imports.
type Edges = BTreeMap<ModulePath, BTreeSet<ModulePath>>;

/// How many re-exports a name may go through; more is a circle of re-exports.
const MAX_REEXPORTS: usize = 8;

/// Returns the circles in the crate that this file is the root of.
///
/// # Errors
/// A source file cannot be read or parsed.
pub fn circles(root_file: &Path) -> Result<Vec<Circle>> {
    let mut modules = BTreeMap::new();
    load(root_file, &[], &mut modules)?;
    let edges = modules
        .iter()
        .map(|(path, module)| (path.clone(), imports_of(path, module, &modules)))
        .collect();
    let circles = strongly_connected(&edges).into_iter();
    let files_of = |circle: Vec<ModulePath>| {
        let files = circle.iter().map(|path| modules[path].file.clone());
        files.collect()
    };
    Ok(circles.map(files_of).collect())
}

/// A source file.
#[derive(Default)]
struct Module {
    file: PathBuf,
    /// Every path in it, as written, outside of tests.
    paths: Vec<Vec<String>>,
    /// The names that its `use` items bring in, with what they stand for.
    names: BTreeMap<String, Vec<String>>,
    /// The modules in it that are files of their own.
    children: Vec<String>,
    /// Whether it only declares modules and re-exports names, which is no import.
    only_declares: bool,
}

/// Reads a file and those of its modules that are files of their own.
fn load(file: &Path, path: &[String], modules: &mut BTreeMap<ModulePath, Module>) -> Result<()> {
    let source = fs::read_to_string(file).with_context(|| format!("{}", file.display()))?;
    let parsed = syn::parse_file(&source).with_context(|| format!("in {}", file.display()))?;
    let mut items = parsed.items.iter();
    let mut module = Module {
        file: file.to_path_buf(),
        only_declares: items.all(|item| matches!(item, Item::Mod(_) | Item::Use(_))),
        ..Module::default()
    };
    module.visit_file(&parsed);
    for name in &module.children {
        let mut child_path = path.to_vec();
        child_path.push(name.clone());
        load(&file_of(file, name), &child_path, modules)?;
    }
    modules.insert(path.to_vec(), module);
    Ok(())
}

/// Returns where the module `mod name;` of a file is.
fn file_of(parent: &Path, name: &str) -> PathBuf {
    let folder = parent.parent().unwrap_or(Path::new("."));
    let stem = parent.file_stem().unwrap_or_default();
    let inner = match ["mod", "lib", "main"].iter().any(|face| stem == *face) {
        true => folder.to_path_buf(),
        false => folder.join(stem),
    };
    let flat = inner.join(format!("{name}.rs"));
    match flat.exists() {
        true => flat,
        false => inner.join(name).join("mod.rs"),
    }
}

impl<'ast> Visit<'ast> for Module {
    fn visit_item_mod(&mut self, module: &'ast ItemMod) {
        if is_test(&module.attrs) {
            return;
        }
        if module.content.is_none() {
            self.children.push(module.ident.to_string());
        }
        visit::visit_item_mod(self, module);
    }

    fn visit_item_use(&mut self, item: &'ast ItemUse) {
        if is_test(&item.attrs) {
            return;
        }
        let is_private = matches!(item.vis, syn::Visibility::Inherited);
        flatten(&item.tree, &mut Vec::new(), &mut |name, path| {
            if is_private {
                self.paths.push(path.to_vec());
            }
            self.names.insert(name, path.to_vec());
        });
    }

    fn visit_path(&mut self, path: &'ast syn::Path) {
        let segments = path.segments.iter();
        self.paths
            .push(segments.map(|segment| segment.ident.to_string()).collect());
        visit::visit_path(self, path);
    }

    fn visit_macro(&mut self, invocation: &'ast syn::Macro) {
        self.paths_of_tokens(invocation.tokens.clone());
        visit::visit_macro(self, invocation);
    }
}

impl Module {
    /// A macro's arguments are tokens: `a :: b` in them is a path.
    fn paths_of_tokens(&mut self, tokens: TokenStream) {
        let mut path = Vec::new();
        let mut colons = 0;
        for token in tokens {
            match token {
                TokenTree::Ident(ident) if path.is_empty() || colons == 2 => {
                    path.push(ident.to_string());
                    colons = 0;
                }
                TokenTree::Punct(punct) if punct.as_char() == ':' && !path.is_empty() => {
                    colons += 1;
                }
                other => {
                    self.paths.push(std::mem::take(&mut path));
                    colons = 0;
                    match other {
                        TokenTree::Group(group) => self.paths_of_tokens(group.stream()),
                        TokenTree::Ident(ident) => path.push(ident.to_string()),
                        TokenTree::Punct(_) | TokenTree::Literal(_) => {}
                    }
                }
            }
        }
        self.paths.push(path);
    }
}

/// Calls `found` with each name that a use tree brings in, and its whole path.
fn flatten(tree: &UseTree, path: &mut Vec<String>, found: &mut impl FnMut(String, &[String])) {
    match tree {
        UseTree::Path(part) => {
            path.push(part.ident.to_string());
            flatten(&part.tree, path, found);
            path.pop();
        }
        UseTree::Name(part) if part.ident == "self" => {
            found(path.last().cloned().unwrap_or_default(), path);
        }
        UseTree::Name(part) => {
            path.push(part.ident.to_string());
            found(part.ident.to_string(), path);
            path.pop();
        }
        UseTree::Rename(part) => {
            path.push(part.ident.to_string());
            found(part.rename.to_string(), path);
            path.pop();
        }
        UseTree::Glob(_) => found(format!("*{}", path.join("::")), path),
        UseTree::Group(group) => {
            for tree in &group.items {
                flatten(tree, path, found);
            }
        }
    }
}

/// Returns the modules that a file imports.
fn imports_of(
    path: &ModulePath,
    module: &Module,
    modules: &BTreeMap<ModulePath, Module>,
) -> BTreeSet<ModulePath> {
    if module.only_declares {
        return BTreeSet::new();
    }
    module
        .paths
        .iter()
        .filter_map(|written| resolve(path, written, modules, MAX_REEXPORTS))
        .filter(|target| target != path)
        .collect()
}

/// Returns the module that defines what a path names; `None` for another crate's.
fn resolve(
    from: &ModulePath,
    written: &[String],
    modules: &BTreeMap<ModulePath, Module>,
    reexports: usize,
) -> Option<ModulePath> {
    // Less is a name of this file's own, or a visibility: `pub(crate)`.
    let (first, mut rest) = written.split_first().filter(|(_, rest)| !rest.is_empty())?;
    let mut at = from.clone();
    match first.as_str() {
        "crate" => at.clear(),
        "self" => {}
        "super" => {
            at.pop();
            while let Some(("super", above)) = rest.split_first().map(|(s, r)| (s.as_str(), r)) {
                at.pop();
                rest = above;
            }
        }
        first => {
            at.push(first.to_owned());
            modules.get(&at)?;
        }
    }
    while let Some((segment, after)) = rest.split_first() {
        let child = [at.as_slice(), slice::from_ref(segment)].concat();
        if modules.contains_key(&child) {
            at = child;
            rest = after;
            continue;
        }
        let module = modules.get(&at)?;
        if reexports > 0
            && at != *from
            && let Some(target) = module.names.get(segment)
            && let Some(defined) = resolve(&at, target, modules, reexports - 1)
        {
            return Some(defined);
        }
        break;
    }
    modules.contains_key(&at).then_some(at)
}

/// Returns the groups of more than one node in which every node leads to every other.
fn strongly_connected(edges: &Edges) -> BTreeSet<Vec<ModulePath>> {
    let reaches: BTreeMap<_, _> = edges
        .keys()
        .map(|node| (node, reachable(node, edges)))
        .collect();
    let groups = reaches.iter().map(|(node, reached)| {
        let leads_back = |other: &&ModulePath| reaches[*other].contains(*node);
        reached.iter().filter(leads_back).cloned().collect()
    });
    groups.filter(|group: &Vec<_>| group.len() > 1).collect()
}

/// Returns all that can be reached from a node in one step or more.
fn reachable(node: &ModulePath, edges: &Edges) -> BTreeSet<ModulePath> {
    let mut reached = BTreeSet::new();
    let mut waiting = vec![node];
    while let Some(next) = waiting.pop() {
        let targets = edges[next].iter();
        waiting.extend(targets.filter(|target| reached.insert((*target).clone())));
    }
    reached
}

/// Whether an item is there for tests alone: `#[cfg(test)]`.
fn is_test(attributes: &[Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        attribute.path().is_ident("cfg")
            && attribute
                .parse_args::<syn::Path>()
                .is_ok_and(|condition| condition.is_ident("test"))
    })
}
