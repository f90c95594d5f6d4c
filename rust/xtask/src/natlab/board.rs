//! Collects what was measured and shows it as tables in Markdown.

use std::sync::Mutex;

use anyhow::{Result, anyhow};

use super::goals::{Goal, Outcome, Verdict};
use super::lock;
use super::matrix::Cell;
use super::places::{Place, Site};
use super::players::PathKind;
use crate::report::Report;

/// What is shown where a goal is reached, and where not.
const REACHED: &str = "✓";
const MISSED: &str = "✗";

/// The results of a run.
pub(super) struct Board<'a> {
    report: Mutex<&'a mut Report>,
    cells: Mutex<Vec<(Cell, String)>>,
    cases: Mutex<Vec<[String; 4]>>,
    notes: Mutex<Vec<&'static str>>,
}

impl<'a> Board<'a> {
    /// An empty board; each result also counts as a test of `report`.
    pub(super) fn new(report: &'a mut Report) -> Self {
        Self {
            report: Mutex::new(report),
            cells: Mutex::default(),
            cases: Mutex::default(),
            notes: Mutex::default(),
        }
    }

    /// Whether a test of this name is to run.
    pub(super) fn wants(&self, name: &str) -> bool {
        lock(&self.report).wants(name)
    }

    /// Counts a test that cannot run.
    pub(super) fn skip(&self, name: &str, why: &str) {
        lock(&self.report).skip(name, why);
    }

    /// Counts a test that is shown in no table.
    pub(super) fn test(&self, name: &str, result: Result<()>) {
        lock(&self.report).record(name, "", result);
    }

    /// A cell was measured, or could not be.
    pub(super) fn cell(&self, cell: Cell, goal: Goal, played: Result<Outcome>) {
        let name = cell.name();
        let shown = match played {
            Err(error) => {
                self.test(&name, Err(error));
                format!("{MISSED} not measured")
            }
            Ok(outcome) => {
                let shown = outcome.to_string();
                match goal.judge(&outcome) {
                    Verdict::Reached => {
                        lock(&self.report).record(&name, &shown, Ok(()));
                        format!("{REACHED} {shown}")
                    }
                    Verdict::Missed(why) => {
                        let error = anyhow!("to reach: {goal}; {why}");
                        lock(&self.report).record(&name, &shown, Err(error));
                        format!("{MISSED} {shown}")
                    }
                    Verdict::Impossible(why) => {
                        lock(&self.report).skip(&name, why);
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

    /// A special case was played: what it is, what it was to reach, what it came to.
    pub(super) fn case(&self, name: &str, title: &str, goal: &str, played: Result<String>) {
        let (shown, mark, result) = match played {
            Ok(shown) => (shown, REACHED, Ok(())),
            Err(error) => {
                let first = format!("{error:#}");
                let first = first.lines().next().unwrap_or_default().to_owned();
                (first, MISSED, Err(error))
            }
        };
        let remark = if result.is_ok() { shown.as_str() } else { "" };
        lock(&self.report).record(name, remark, result);
        let row = [title, goal, &shown, mark].map(|word| word.replace('|', "/"));
        lock(&self.cases).push(row);
    }

    /// Something was measured that has no goal.
    pub(super) fn remark(&self, title: &str, shown: &str) {
        let row = [title, "-", shown, ""].map(str::to_owned);
        lock(&self.cases).push(row);
    }

    /// The number of a remark below the table.
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
    pub(super) fn print(&self) {
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
const COLUMNS: [(PathKind, Site, bool); 6] = [
    (PathKind::Call, Site::Ours, false),
    (PathKind::Call, Site::Ours, true),
    (PathKind::Call, Site::Public, false),
    (PathKind::Call, Site::Public, true),
    (PathKind::Plain, Site::Ours, false),
    (PathKind::Plain, Site::Public, false),
];

fn print_matrix(cells: &[(Cell, String)]) {
    let is_of = |cell: &Cell, (way, site, lossy): (PathKind, Site, bool)| {
        cell.way == way && cell.site == site && cell.lossy == lossy
    };
    let columns: Vec<_> = COLUMNS
        .into_iter()
        .filter(|&column| cells.iter().any(|(cell, _)| is_of(cell, column)))
        .collect();
    let titles: Vec<String> = columns
        .iter()
        .map(|(way, site, lossy)| {
            let flow = match way {
                PathKind::Call => "",
                PathKind::Plain => "the guide's flow, ",
            };
            let loss = if *lossy { ", 20 % loss" } else { "" };
            format!("{flow}{site}{loss}")
        })
        .collect();
    println!(
        "\n| host | joining player | to reach | {} |",
        titles.join(" | ")
    );
    println!("| --- | --- | --- |{}", " --- |".repeat(columns.len()));
    for host in Place::ALL {
        for joining in Place::ALL {
            let row: Vec<String> = columns
                .iter()
                .map(|&column| {
                    cells
                        .iter()
                        .find(|(cell, _)| {
                            cell.host == host && cell.joining == joining && is_of(cell, column)
                        })
                        .map_or_else(String::new, |(_, shown)| shown.clone())
                })
                .collect();
            if row.iter().all(String::is_empty) {
                continue;
            }
            let goal = Goal::of_cell(Site::Ours, PathKind::Call, host, joining, false);
            println!("| {host} | {joining} | {goal} | {} |", row.join(" | "));
        }
    }
}
