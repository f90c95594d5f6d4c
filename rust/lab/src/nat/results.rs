//! Collects what was measured, and prints it as tables in Markdown.

use std::sync::Mutex;

use anyhow::{Result, anyhow};
use noray_testkit::interrupt::lock;
use noray_testkit::report::Report;

use crate::nat::cell::Cell;
use crate::nat::kinds::{Flow, ServerKind};
use crate::nat::outcome::Outcome;
use crate::nat::target::Verdict;

/// What is shown where a target is reached, and where not.
const REACHED: &str = "✓";
const MISSED: &str = "✗";

/// The results of a run; each also counts as a test.
pub(crate) struct Results<'a> {
    report: Mutex<&'a mut Report>,
    cells: Mutex<Vec<(Cell, String)>>,
    cases: Mutex<Vec<[String; 4]>>,
    notes: Mutex<Vec<&'static str>>,
}

impl<'a> Results<'a> {
    /// Returns empty results.
    pub(crate) fn new(report: &'a mut Report) -> Self {
        Self {
            report: Mutex::new(report),
            cells: Mutex::default(),
            cases: Mutex::default(),
            notes: Mutex::default(),
        }
    }

    /// Returns whether a test of this name is to run.
    pub(crate) fn wants(&self, name: &str) -> bool {
        lock(&self.report).wants(name)
    }

    /// Counts a test that cannot run.
    pub(crate) fn skip(&self, name: &str, why: &str) {
        lock(&self.report).skip(name, why);
    }

    /// Counts a test that stands in no table.
    pub(crate) fn test(&self, name: &str, result: Result<()>) {
        self.record(name, "", result);
    }

    fn record(&self, name: &str, remark: &str, result: Result<()>) {
        lock(&self.report).record(name, remark, result);
    }

    /// Counts a join of the matrix, or why there was none.
    pub(crate) fn cell(&self, cell: Cell, played: Result<Outcome>) {
        let (name, target) = (cell.name(), cell.target());
        let shown = match played {
            Err(error) => {
                self.test(&name, Err(error));
                format!("{MISSED} not measured")
            }
            Ok(outcome) => {
                let shown = outcome.to_string();
                match target.judge(&outcome) {
                    Verdict::Reached => {
                        self.record(&name, &shown, Ok(()));
                        format!("{REACHED} {shown}")
                    }
                    Verdict::Missed(why) => {
                        self.record(&name, &shown, Err(anyhow!("to reach: {target}; {why}")));
                        format!("{MISSED} {shown}")
                    }
                    Verdict::Impossible(why) => {
                        self.skip(&name, why);
                        format!("none ({})", self.note(why))
                    }
                    Verdict::Open => {
                        println!("   {name}: {shown}");
                        shown
                    }
                }
            }
        };
        lock(&self.cells).push((cell, shown));
    }

    /// Counts another case: what it is, what it was to reach, what it came to.
    pub(crate) fn case(&self, name: &str, title: &str, target: &str, played: Result<String>) {
        let (shown, mark) = match &played {
            Ok(shown) => (shown.clone(), REACHED),
            Err(error) => {
                let text = format!("{error:#}");
                (text.lines().next().unwrap_or_default().to_owned(), MISSED)
            }
        };
        let remark = if played.is_ok() { shown.as_str() } else { "" };
        self.record(name, remark, played.map(drop));
        let row = [title, target, &shown, mark].map(|word| word.replace('|', "/"));
        lock(&self.cases).push(row);
    }

    /// Shows something that was measured and has no target.
    pub(crate) fn remark(&self, title: &str, shown: &str) {
        let row = [title, "-", shown, ""].map(str::to_owned);
        lock(&self.cases).push(row);
    }

    /// Returns the number of a note below the table.
    fn note(&self, text: &'static str) -> usize {
        let mut notes = lock(&self.notes);
        match notes.iter().position(|&note| note == text) {
            Some(index) => index + 1,
            None => {
                notes.push(text);
                notes.len()
            }
        }
    }

    /// Prints the tables.
    pub(crate) fn print(&self) {
        let cells = lock(&self.cells);
        if !cells.is_empty() {
            print_matrix(&cells);
        }
        for (index, note) in lock(&self.notes).iter().enumerate() {
            println!("\n({}) {note}.", index + 1);
        }
        let cases = lock(&self.cases);
        if !cases.is_empty() {
            println!("\n| case | to reach | measured | |");
            println!("| --- | --- | --- | --- |");
            for row in cases.iter() {
                println!("| {} |", row.join(" | "));
            }
        }
        println!();
    }
}

/// The columns of the matrix.
const COLUMNS: [(Flow, ServerKind, bool); 6] = [
    (Flow::Calls, ServerKind::Ours, false),
    (Flow::Calls, ServerKind::Ours, true),
    (Flow::Calls, ServerKind::Public, false),
    (Flow::Calls, ServerKind::Public, true),
    (Flow::Plain, ServerKind::Ours, false),
    (Flow::Plain, ServerKind::Public, false),
];

fn print_matrix(cells: &[(Cell, String)]) {
    let column_of = |cell: &Cell| (cell.flow, cell.server, cell.lossy);
    let mut columns = COLUMNS.to_vec();
    columns.retain(|&column| cells.iter().any(|(cell, _)| column_of(cell) == column));
    let titles: Vec<String> = columns
        .iter()
        .map(|(flow, server, lossy)| {
            let flow = match flow {
                Flow::Calls => "",
                Flow::Plain => "the guide's flow, ",
            };
            let loss = if *lossy { ", 20 % loss" } else { "" };
            format!("{flow}{server}{loss}")
        })
        .collect();
    let titles = titles.join(" | ");
    println!("\n| host | joining player | to reach | {titles} |");
    println!("| --- | --- | --- |{}", " --- |".repeat(columns.len()));
    // Of the first kind, only the order and the targets.
    for row in Cell::all(ServerKind::Ours, Flow::Calls, false) {
        let (host, joining) = (row.host, row.joining);
        let shown: Vec<&str> = columns
            .iter()
            .map(|&column| {
                let found = cells.iter().find(|(cell, _)| {
                    cell.host == host && cell.joining == joining && column_of(cell) == column
                });
                found.map_or("", |(_, shown)| shown.as_str())
            })
            .collect();
        if shown.iter().any(|shown| !shown.is_empty()) {
            let target = row.target();
            println!("| {host} | {joining} | {target} | {} |", shown.join(" | "));
        }
    }
}
