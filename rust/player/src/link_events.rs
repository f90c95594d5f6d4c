//! What happens on the link and to the game's ENet peers.

use std::time::Instant;

use noray_client::PeerEvent;

use crate::{calls::EnetPeer, effect::Effect, joining::ClientStatus, player::Player};

impl Player {
    /// Takes an event of the link.
    pub fn handle_link_event(&mut self, event: PeerEvent) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_link_event(event, &mut self.output);
        }
    }

    /// Takes an event of the link before its turn, so that a peer that ENet knows already is known
    /// here too. [`Self::next_early_event`] gives back what has to wait.
    pub fn admit_early(&mut self, event: PeerEvent) {
        if let Some(games) = &mut self.games {
            games.admit_early(event);
        }
    }

    /// Returns an event whose turn it is, of those that were taken early.
    pub fn next_early_event(&mut self) -> Option<PeerEvent> {
        self.games.as_mut()?.next_early()
    }

    /// The ENet client is there, with its port, or cannot be created.
    pub fn handle_client_created(
        &mut self,
        created: Result<(EnetPeer, u16), String>,
        now: Instant,
    ) {
        self.output.turns.begin();
        match (created, &mut self.games) {
            (created, Some(games)) => {
                games.handle_client_created(created, now, &mut self.output);
            }
            (Ok((enet, _)), None) => self.output.push(Effect::ClosePeer(enet)),
            (Err(_), None) => {}
        }
    }

    /// The ENet client that enters a game was polled, and stands like this.
    pub fn handle_client_polled(&mut self, enet: EnetPeer, status: ClientStatus, now: Instant) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_client_polled(enet, status, now, &mut self.output);
        }
    }

    /// Godot's multiplayer listens to this ENet client.
    pub fn handle_multiplayer_listens(&mut self, enet: EnetPeer) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_multiplayer_listens(enet, &mut self.output);
        }
    }

    /// An ENet server refuses new connections, or takes them.
    pub fn handle_server_closed(&mut self, enet: EnetPeer, is_closed: bool) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_server_closed(enet, is_closed, &mut self.output);
        }
    }

    /// An ENet server has let a peer in, by `port` of the loopback address.
    pub fn handle_entered(&mut self, enet: EnetPeer, peer_id: i32, port: u16) {
        if let Some(games) = &mut self.games {
            games.handle_entered(enet, peer_id, port);
        }
    }

    /// An ENet server has lost a peer.
    pub fn handle_left(&mut self, enet: EnetPeer, peer_id: i32) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_left(enet, peer_id, &mut self.output);
        }
    }

    /// The game has closed this ENet peer, or let go of it.
    pub fn handle_closed(&mut self, enet: EnetPeer) {
        self.output.turns.begin();
        if let Some(games) = &mut self.games {
            games.handle_closed(enet, &mut self.output);
        }
    }
}
