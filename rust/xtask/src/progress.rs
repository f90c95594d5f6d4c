//! Progress of long steps on stderr: a bar on a terminal, now and then a line elsewhere.

use std::io::{self, IsTerminal, Read};
use std::time::Instant;

use indicatif::{ProgressBar, ProgressStyle};

use crate::defaults;

/// The progress of one step.
pub(crate) struct Progress {
    what: String,
    bar: Option<ProgressBar>,
    length: u64,
    bytes: bool,
    told: Instant,
}

impl Progress {
    /// A step of `length` things.
    pub(crate) fn of_things(what: &str, length: u64) -> Self {
        Self::new(what, length, false)
    }

    /// A step of `length` bytes.
    pub(crate) fn of_bytes(what: &str, length: u64) -> Self {
        Self::new(what, length, true)
    }

    fn new(what: &str, length: u64, bytes: bool) -> Self {
        let bar = io::stderr().is_terminal().then(|| {
            let amount = if bytes {
                "{bytes}/{total_bytes}, {bytes_per_sec}"
            } else {
                "{pos}/{len}"
            };
            let style = ProgressStyle::with_template(&format!("{{msg}} [{{bar:30}}] {amount}"))
                .map_or_else(
                    |_| ProgressStyle::default_bar(),
                    |style| style.progress_chars("=> "),
                );
            let bar = ProgressBar::new(length).with_style(style);
            bar.set_message(what.to_owned());
            bar
        });
        if bar.is_none() {
            eprintln!("{what} ...");
        }
        Self {
            what: what.to_owned(),
            bar,
            length,
            bytes,
            told: Instant::now(),
        }
    }

    /// So much is done.
    pub(crate) fn set(&mut self, position: u64) {
        if let Some(bar) = &self.bar {
            bar.set_position(position);
        } else if self.told.elapsed() >= defaults::PLAIN_PROGRESS {
            self.told = Instant::now();
            if self.bytes {
                let mib = |bytes: u64| bytes / (1024 * 1024);
                let (done, all) = (mib(position), mib(self.length));
                eprintln!("{} ... {done} of {all} MiB", self.what);
            } else {
                eprintln!("{} ... {position} of {}", self.what, self.length);
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
            eprintln!("{}", self.what);
        }
    }
}

/// A reader that reports what went through it.
pub(crate) struct Counted<'a, R> {
    inner: R,
    done: u64,
    progress: &'a mut Progress,
}

impl<'a, R> Counted<'a, R> {
    /// Reports to `progress`.
    pub(crate) fn new(inner: R, progress: &'a mut Progress) -> Self {
        Self {
            inner,
            done: 0,
            progress,
        }
    }
}

impl<R: Read> Read for Counted<'_, R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.inner.read(buffer)?;
        self.done += count as u64;
        self.progress.set(self.done);
        Ok(count)
    }
}
