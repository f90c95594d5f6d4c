//! The reading half of a connection: from bytes to commands of the server.

use noray_protocol::{
    defaults::MAX_LINE,
    wire::{
        command::{ServerCommand, ServerLine},
        framing::{Framing, LineDecoder},
    },
};
use tokio::{io::AsyncReadExt, net::tcp::OwnedReadHalf};
use tracing::warn;

use super::event::DisconnectReason;
use crate::defaults::READ_CHUNK;

/// The lines that the server sends.
pub(super) struct ServerLines {
    reader: OwnedReadHalf,
    chunk: [u8; READ_CHUNK],
    decoder: LineDecoder,
    framing: Framing,
}

impl ServerLines {
    pub(super) fn new(reader: OwnedReadHalf) -> Self {
        Self {
            reader,
            chunk: [0; READ_CHUNK],
            decoder: LineDecoder::new(Framing::Plain, MAX_LINE),
            framing: Framing::Plain,
        }
    }

    /// Waits for bytes. Nothing is lost when the wait is given up.
    ///
    /// # Errors
    /// Why the connection ended.
    pub(super) async fn read(&mut self) -> Result<(), DisconnectReason> {
        match self.reader.read(&mut self.chunk).await? {
            0 => Err(DisconnectReason::Closed),
            length => {
                self.decoder.push(&self.chunk[..length]);
                Ok(())
            }
        }
    }

    /// Returns the next complete line, and skips those that make no sense. A server that greets
    /// frames all later lines in the quoted form.
    pub(super) fn next_line(&mut self) -> Option<ServerLine> {
        loop {
            let line = match self.decoder.next_line()? {
                Ok(line) => line,
                Err(error) => {
                    warn!(%error, "skipped a line from the server");
                    continue;
                }
            };
            let Some(line) = ServerLine::parse(&line, self.framing) else {
                continue;
            };
            if matches!(line.command, ServerCommand::Greeting(_)) {
                self.framing = Framing::Quoted;
                self.decoder.set_framing(Framing::Quoted);
            }
            return Some(line);
        }
    }
}
