//! Collects what was measured, and prints it as tables in Markdown.

use std::sync::Mutex;

use anyhow::{Result, anyhow};
use noray_testkit::interrupt::lock;
use noray_testkit::report::Report;

use crate::nat::cell::{Cell, Column};
use crate::nat::outcome::Outcome;
use crate::nat::target::Verdict;

/// What is shown where a target is reached, and where not.
const REACHED: &str = "✓";
const MISSED: &str = "✗";

/// The results of a run; each also counts as a test.
pub(crate) struct Results<'a> {
    report: Mutex<&'a mut Report>,
    tables: Mutex<Tables>,
}

#[derive(Default)]
struct Tables {
    cells: Vec<(Cell, String)>,
    cases: Vec<[String; 4]>,
    notes: Vec<&'static str>,
}

impl<'a> Results<'a> {
    /// Returns empty results.
    pub(crate) fn new(report: &'a mut Report) -> Self {
        Self {
            report: Mutex::new(report),
            tables: Mutex::default(),
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
        let shown = self.judge(&cell, played);
        lock(&self.tables).cells.push((cell, shown));
    }

    /// Counts a join and returns what the table shows of it.
    fn judge(&self, cell: &Cell, played: Result<Outcome>) -> String {
        let (name, target) = (cell.name(), cell.target());
        let outcome = match played {
            Ok(outcome) => outcome,
            Err(error) => {
                self.test(&name, Err(error));
                return format!("{MISSED} not measured");
            }
        };
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
                format!("none ({})", lock(&self.tables).note(why))
            }
            Verdict::Open => {
                println!("   {name}: {shown}");
                shown
            }
        }
    }

    /// Counts another case: what it is, what it was to reach, what it came to.
    pub(crate) fn case(&self, name: &str, title: &str, target: &str, played: Result<String>) {
        let (shown, remark, mark) = match &played {
            Ok(shown) => (shown.clone(), shown.clone(), REACHED),
            Err(error) => (format!("{error:#}"), String::new(), MISSED),
        };
        self.record(name, &remark, played.map(drop));
        let shown = shown.lines().next().unwrap_or_default();
        let row = [title, target, shown, mark].map(|word| word.replace('|', "/"));
        lock(&self.tables).cases.push(row);
    }

    /// Shows something that was measured and has no target.
    pub(crate) fn remark(&self, title: &str, shown: &str) {
        let row = [title, "-", shown, ""].map(str::to_owned);
        lock(&self.tables).cases.push(row);
    }

    /// Prints the tables.
    pub(crate) fn print(&self) {
        let tables = lock(&self.tables);
        tables.print_matrix();
        for (index, note) in tables.notes.iter().enumerate() {
            println!("\n({}) {note}.", index + 1);
        }
        if !tables.cases.is_empty() {
            println!("\n| case | to reach | measured | |");
            println!("| --- | --- | --- | --- |");
            for row in &tables.cases {
                println!("| {} |", row.join(" | "));
            }
        }
        println!();
    }
}

impl Tables {
    /// Returns the number of a note below the table.
    fn note(&mut self, text: &'static str) -> usize {
        let known = self.notes.iter().position(|&note| note == text);
        let index = known.unwrap_or_else(|| {
            self.notes.push(text);
            self.notes.len() - 1
        });
        index + 1
    }

    fn print_matrix(&self) {
        let mut columns = Column::ALL.to_vec();
        columns.retain(|&column| self.cells.iter().any(|(cell, _)| cell.column == column));
        if columns.is_empty() {
            return;
        }
        let titles: Vec<String> = columns.iter().map(Column::to_string).collect();
        let titles = titles.join(" | ");
        println!("\n| host | joining player | to reach | {titles} |");
        println!("| --- | --- | --- |{}", " --- |".repeat(columns.len()));
        // Of the first column, only the order and the targets.
        for row in Column::ALL[0].cells() {
            let (host, joining, target) = (row.host, row.joining, row.target());
            let shown = columns.iter().map(|&column| {
                let wanted = Cell { column, ..row };
                let found = self.cells.iter().find(|(cell, _)| *cell == wanted);
                found.map_or("", |(_, shown)| shown.as_str())
            });
            let shown: Vec<&str> = shown.collect();
            if shown.iter().any(|shown| !shown.is_empty()) {
                println!("| {host} | {joining} | {target} | {} |", shown.join(" | "));
            }
        }
    }
}
