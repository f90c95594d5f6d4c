//! The words of `docs/GLOSSARY.md`, and where a retired one stands.

use std::{collections::BTreeSet, fs};

use anyhow::{Context, Result, ensure};
use ignore::WalkBuilder;
use proc_macro2::{TokenStream, TokenTree};
use regex::Regex;

use crate::tree::root;

const GLOSSARY: &str = "docs/GLOSSARY.md";

/// What the glossary writes behind a word that is retired in names alone.
const IN_NAMES: &str = " *in names*";

/// What begins the glossary's list of names that are not ours to change.
const KEPT_NAMES: &str = "Names that stay, also as parts of others: ";

/// Folders without text of ours.
const SKIPPED_FOLDERS: [&str; 4] = ["target", "corpus", ".git", ".godot"];

/// What a text is written in.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Language {
    /// Names and comments are read.
    Rust,
    /// Names and comments are read.
    GdScript,
    /// All is read.
    Prose,
}

/// The words that the glossary retires.
#[derive(Debug)]
pub struct Glossary {
    /// In lower case: parts of names in code.
    names: BTreeSet<String>,
    /// Matches a retired word in prose, as a whole word and in the plural, but not within a name.
    prose: Regex,
    /// Parts of names in which a retired word may stand.
    kept: BTreeSet<String>,
}

impl Glossary {
    /// Reads a glossary: tables of three columns, of which the last has the retired words.
    ///
    /// # Errors
    /// It retires no word, so its tables have another form.
    pub fn parse(text: &str) -> Result<Self> {
        let (mut names, mut prose, mut kept) = (BTreeSet::new(), Vec::new(), BTreeSet::new());
        let quoted = Regex::new("`([^`]+)`([^`,|]*)")?;
        for line in text.lines() {
            if let Some(list) = line.strip_prefix(KEPT_NAMES) {
                kept.extend(quoted.captures_iter(list).map(|name| name[1].to_owned()));
            }
            let [_, _, _, retired, _] = line.split('|').collect::<Vec<_>>()[..] else {
                continue;
            };
            for word in quoted.captures_iter(retired) {
                names.insert(word[1].to_lowercase());
                if !word[2].starts_with(IN_NAMES) {
                    prose.push(regex::escape(&word[1].to_lowercase()));
                }
            }
        }
        ensure!(!prose.is_empty(), "{GLOSSARY} retires no word");
        let prose = format!(r"(?:^|[^\w.`])({})s?(?:$|[^\w(`])", prose.join("|"));
        let prose = Regex::new(&prose)?;
        Ok(Self { names, prose, kept })
    }

    /// Returns the retired words in all code and documents, each with its file and line.
    ///
    /// # Errors
    /// A file cannot be read.
    pub fn misuses_in_tree() -> Result<Vec<String>> {
        let root = root();
        let glossary = Self::parse(&fs::read_to_string(root.join(GLOSSARY))?)?;
        let walk = WalkBuilder::new(&root)
            .filter_entry(|entry| {
                SKIPPED_FOLDERS
                    .iter()
                    .all(|name| entry.file_name() != *name)
            })
            .build();
        let mut found = Vec::new();
        for entry in walk {
            let path = entry?.into_path();
            let language = match path.extension().and_then(|extension| extension.to_str()) {
                Some("rs") => Language::Rust,
                Some("gd") => Language::GdScript,
                Some("md") if !path.ends_with(GLOSSARY) => Language::Prose,
                _ => continue,
            };
            let text = fs::read_to_string(&path).context(path.display().to_string())?;
            let name = path.strip_prefix(&root).unwrap_or(&path).display();
            let misuses = glossary.misuses(&text, language);
            found.extend(misuses.iter().map(|misuse| format!("{name}:{misuse}")));
        }
        Ok(found)
    }

    /// Returns the retired words in a text, as `line: word`.
    #[must_use]
    pub fn misuses(&self, text: &str, language: Language) -> Vec<String> {
        let mut found = Vec::new();
        for (index, line) in text.lines().enumerate() {
            let (code, prose) = match language {
                Language::Prose => ("", line),
                Language::Rust => ("", line.split_once("//").map_or("", |parts| parts.1)),
                Language::GdScript => line.split_once('#').unwrap_or((line, "")),
            };
            let prose = prose.to_lowercase();
            if let Some(word) = self.prose.captures(&prose) {
                found.push((index + 1, word[1].to_owned()));
            }
            // What is between quotes is a string.
            for code in code.split('"').step_by(2) {
                let names = code.split(|c: char| !c.is_alphanumeric() && c != '_');
                let retired = names.filter(|name| self.is_retired(name));
                found.extend(retired.map(|name| (index + 1, name.to_owned())));
            }
        }
        if language == Language::Rust {
            names_in(text.parse().unwrap_or_default(), &mut |line, name| {
                if self.is_retired(&name) {
                    found.push((line, name));
                }
            });
        }
        found.sort();
        let shown = found.into_iter();
        shown
            .map(|(line, word)| format!("{line}: {word}"))
            .collect()
    }

    fn is_retired(&self, name: &str) -> bool {
        let mut snake = snake_case(name);
        for kept in &self.kept {
            snake = snake.replace(kept, "");
        }
        let mut parts = snake.split('_');
        parts.any(|part| {
            let singular = part.strip_suffix('s').unwrap_or(part);
            self.names.contains(singular)
        })
    }
}

/// Calls `found` with each name in code and its line.
fn names_in(tokens: TokenStream, found: &mut impl FnMut(usize, String)) {
    for token in tokens {
        match token {
            TokenTree::Group(group) => names_in(group.stream(), found),
            TokenTree::Ident(name) => found(name.span().start().line, name.to_string()),
            TokenTree::Punct(_) | TokenTree::Literal(_) => {}
        }
    }
}

/// Returns a name as `peer_up`, whether it was `peer_up`, `PeerUp` or `PEER_UP`.
fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    let mut last_is_lower = false;
    for c in name.chars() {
        if c.is_uppercase() && last_is_lower {
            snake.push('_');
        }
        last_is_lower = c.is_lowercase();
        snake.extend(c.to_lowercase());
    }
    snake
}
