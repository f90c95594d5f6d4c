//! The classes' help links to what it names, as Godot's own does.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;

use noray_house_rules::root;
use quote::ToTokens;
use regex::Regex;
use syn::{Attribute, Expr, Fields, FnArg, ImplItem, Item, Lit, Meta, Pat};

/// The classes that Godot sees, one file each.
const CLASSES: [(&str, &str); 4] = [
    ("Noray", "noray.rs"),
    ("NorayConnection", "noray_connection.rs"),
    ("NorayServer", "noray_server.rs"),
    ("PacketHandshake", "packet_handshake.rs"),
];

/// What a class has, and the texts of its help.
#[derive(Default)]
struct Class {
    /// By Godot's word for their kind: `method`, `member`, `signal`, `constant`.
    names: BTreeMap<&'static str, BTreeSet<String>>,
    texts: Vec<Text>,
}

/// One text of the help.
struct Text {
    of: String,
    lines: Vec<String>,
    parameters: BTreeSet<String>,
}

impl Class {
    fn read(file: &str) -> Self {
        let source = fs::read_to_string(root().join("rust/godot").join(file)).unwrap();
        let mut class = Self::default();
        for item in syn::parse_file(&source).unwrap().items {
            match item {
                Item::Struct(item) if says(&item.attrs, "GodotClass") => {
                    class.add_text(&item.ident.to_string(), &item.attrs, BTreeSet::new());
                    let Fields::Named(fields) = item.fields else {
                        continue;
                    };
                    for field in fields.named.iter().filter(|field| has(&field.attrs, "var")) {
                        let name = field.ident.as_ref().unwrap().to_string();
                        class.add_text(&name, &field.attrs, BTreeSet::new());
                        class.names.entry("member").or_default().insert(name);
                    }
                }
                Item::Impl(item) if has(&item.attrs, "godot_api") => {
                    for member in item.items {
                        class.add_function(&member);
                    }
                }
                Item::Macro(item) => class.add_enum(&item.mac.tokens.to_string()),
                _ => {}
            }
        }
        class
    }

    fn add_function(&mut self, member: &ImplItem) {
        let (attributes, signature) = match member {
            ImplItem::Fn(function) => (&function.attrs, function.sig.clone()),
            // A signal has no body, which only the bindings understand.
            ImplItem::Verbatim(tokens) => {
                let whole = format!("{} {{}}", tokens.to_string().trim_end_matches(';'));
                let Ok(function) = syn::parse_str::<syn::ImplItemFn>(&whole) else {
                    return;
                };
                return self.add_function(&ImplItem::Fn(function));
            }
            _ => return,
        };
        let kind = match (has(attributes, "signal"), has(attributes, "func")) {
            (true, _) => "signal",
            (_, true) => "method",
            _ => return,
        };
        let parameters = signature.inputs.iter().filter_map(|input| match input {
            FnArg::Typed(input) => match &*input.pat {
                Pat::Ident(name) => Some(name.ident.to_string()),
                _ => None,
            },
            FnArg::Receiver(_) => None,
        });
        let name = signature.ident.to_string();
        self.add_text(&name, attributes, parameters.collect());
        self.names.entry(kind).or_default().insert(name);
    }

    /// Reads the names of `class_enum!`: `Lan as LAN = 0`.
    fn add_enum(&mut self, tokens: &str) {
        let constant = Regex::new(r"\bas ([A-Z_]+) =").unwrap();
        let names = constant
            .captures_iter(tokens)
            .map(|found| found[1].to_owned());
        self.names.entry("constant").or_default().extend(names);
    }

    fn add_text(&mut self, of: &str, attributes: &[Attribute], parameters: BTreeSet<String>) {
        let lines = attributes
            .iter()
            .filter_map(|attribute| match &attribute.meta {
                Meta::NameValue(doc) if doc.path.is_ident("doc") => match &doc.value {
                    Expr::Lit(text) => match &text.lit {
                        Lit::Str(text) => Some(text.value()),
                        _ => None,
                    },
                    _ => None,
                },
                _ => None,
            });
        // An example is no prose.
        let mut in_example = false;
        let lines = lines
            .filter(|line| {
                let fence = line.trim_start().starts_with("```");
                in_example ^= fence;
                !in_example && !fence
            })
            .collect();
        self.texts.push(Text {
            of: of.to_owned(),
            lines,
            parameters,
        });
    }

    fn has(&self, name: &str) -> bool {
        self.names.values().any(|names| names.contains(name))
    }
}

fn has(attributes: &[Attribute], name: &str) -> bool {
    attributes.iter().any(|it| it.path().is_ident(name))
}

fn says(attributes: &[Attribute], word: &str) -> bool {
    attributes
        .iter()
        .any(|it| it.to_token_stream().to_string().contains(word))
}

#[test]
fn no_link_of_the_help_leads_nowhere() {
    let classes: BTreeMap<&str, Class> = CLASSES
        .into_iter()
        .map(|(name, file)| (name, Class::read(file)))
        .collect();
    let link = Regex::new(r"\[(method|member|signal|constant|param) ([A-Za-z_.]+)\]").unwrap();
    let mut broken = Vec::new();
    let mut count = 0;
    for (name, class) in &classes {
        for text in &class.texts {
            for found in link.captures_iter(&text.lines.join("\n")) {
                let (kind, target) = (&found[1], &found[2]);
                let (owner, member) = target.split_once('.').unwrap_or((name, target));
                count += 1;
                let is_there = match (kind, classes.get(owner)) {
                    ("param", _) => text.parameters.contains(target),
                    // Godot's own.
                    ("constant", _) if !target.contains('.') && !class.has(target) => {
                        target == "OK" || target == "FAILED" || target.starts_with("ERR_")
                    }
                    (_, None) => true,
                    (kind, Some(owner)) => owner
                        .names
                        .get(kind)
                        .is_some_and(|names| names.contains(member)),
                };
                if !is_there {
                    broken.push(format!("{name}, {}: {}", text.of, &found[0]));
                }
            }
        }
    }
    assert!(broken.is_empty(), "{}", broken.join("\n"));
    assert!(count > 100, "the help has only {count} links");
}

#[test]
fn no_name_in_the_help_is_without_its_link() {
    let classes: BTreeMap<&str, Class> = CLASSES
        .into_iter()
        .map(|(name, file)| (name, Class::read(file)))
        .collect();
    let code = Regex::new(r"`([^`]+)`").unwrap();
    let godots =
        Regex::new(r"^(OK|FAILED|ERR_[A-Z_]+|(ENet|Packet|Signal|Multiplayer)\w*(\.\w+)?)$")
            .unwrap();
    let mut bare = Vec::new();
    for (name, class) in &classes {
        for text in &class.texts {
            for found in code.captures_iter(&text.lines.join("\n")) {
                let shown = &found[1];
                let (owner, member) = shown.split_once('.').unwrap_or((name, shown));
                let is_ours = classes.get(owner).is_some_and(|owner| owner.has(member))
                    || classes.contains_key(shown);
                if is_ours || text.parameters.contains(shown) || godots.is_match(shown) {
                    bare.push(format!("{name}, {}: {shown}", text.of));
                }
            }
        }
    }
    assert!(
        bare.is_empty(),
        "{} names:\n{}",
        bare.len(),
        bare.join("\n")
    );
}
