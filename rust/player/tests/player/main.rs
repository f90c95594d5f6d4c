//! What a player's calls and events lead to, with a game that writes each effect down.

mod calls_and_states;
mod cancelling;
mod connecting;
mod game;
mod hosting;
mod identity;
mod joining;
mod joining_failures;
mod keepalives;
mod peers;
mod quitting;
mod reentrancy;
mod registering;
mod requests;
