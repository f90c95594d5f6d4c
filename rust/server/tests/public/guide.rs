//! docs/SERVER.md tells every difference, and no other.

use std::{collections::BTreeSet, fs, path::Path};

use libtest_mimic::{Failed, Trial};

use crate::{FACTS, fact::Ours};

pub(crate) fn trials() -> Vec<Trial> {
    vec![
        Trial::test("guide::differences_are_those_that_are_tested", differences),
        Trial::test("guide::facts_have_names_of_their_own", names),
    ]
}

fn differences() -> Result<(), Failed> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/SERVER.md");
    let guide = fs::read_to_string(path)?;
    let (_, list) = (guide.split_once("\n## Differences to the public server\n"))
        .ok_or("the guide has no list of differences")?;
    let list = list.split("\n## ").next().unwrap_or(list);
    let told: BTreeSet<_> = list
        .split("\n- ")
        .skip(1)
        .map(|item| {
            let (words, _) = item.strip_prefix("**").unwrap_or("").split_once("**")?;
            Some(words)
        })
        .collect::<Option<_>>()
        .ok_or("an item of the guide's list does not begin with words in bold")?;
    let facts = FACTS.iter().flat_map(|(_, facts)| facts.iter());
    let tested: BTreeSet<_> = facts
        .filter_map(|fact| match fact.ours {
            Ours::Same => None,
            Ours::Differs { difference, .. } => Some(difference),
        })
        .collect();
    let list = |a: &BTreeSet<&str>, b: &BTreeSet<&str>| {
        let only: Vec<_> = a.difference(b).copied().collect();
        only.join(", ")
    };
    if told == tested {
        return Ok(());
    }
    Err(format!(
        "told but not tested: {}\ntested but not told: {}",
        list(&told, &tested),
        list(&tested, &told)
    )
    .into())
}

fn names() -> Result<(), Failed> {
    let mut seen = BTreeSet::new();
    for (about, facts) in FACTS {
        for fact in *facts {
            if !seen.insert((about, fact.name)) {
                return Err(format!("two facts are called {about}::{}", fact.name).into());
            }
        }
    }
    Ok(())
}
