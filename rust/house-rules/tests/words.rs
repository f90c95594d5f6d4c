//! Each thing has one name: no retired word of `docs/GLOSSARY.md` stands in code or prose.

use noray_house_rules::{Glossary, Language};

fn misuses(text: &str, language: Language) -> Vec<String> {
    let table = "\
        | peer | The player at the other end. | `remote` *in names*, `guest`, `remote player` |\n\
        Names that stay, also as parts of others: `register_remote`.";
    let glossary = Glossary::parse(table).unwrap();
    glossary.misuses(text, language)
}

#[test]
fn no_retired_word_is_used() {
    let found = Glossary::misuses_in_tree().unwrap();
    assert!(
        found.is_empty(),
        "{} retired words:\n{}",
        found.len(),
        found.join("\n")
    );
}

#[test]
fn a_glossary_without_retired_words_is_an_error() {
    assert!(Glossary::parse("| word | what it is |\n| peer | `guest` |").is_err());
}

#[test]
fn names_are_read_by_their_parts() {
    let code = "struct GuestUp;\nfn next_guest() {}\nconst REMOTES: u8 = 1;\nfn guesstimate() {}\n\
                fn try_register_remote() { log(\"guest\") }  // A remote host.";
    assert_eq!(
        misuses(code, Language::Rust),
        ["1: GuestUp", "2: next_guest", "3: REMOTES"]
    );
}

#[test]
fn comments_are_prose() {
    let code = "## Lets a Guest in.\nvar peer := \"guest\"  # two remote players, `guests`";
    assert_eq!(
        misuses(code, Language::GdScript),
        ["1: guest", "2: remote player"]
    );
}

#[test]
fn prose_is_read_by_whole_words() {
    let text = "A remote server.\nTwo remote players.\nThe `guest_list`.\nGuests!\n";
    assert_eq!(
        misuses(text, Language::Prose),
        ["2: remote player", "4: guest"]
    );
}
