//! The addresses that the server announced, so that a handshake knows its target.

use std::{
    cell::{Cell, RefCell},
    collections::VecDeque,
    net::SocketAddr,
};

use crate::defaults::ANNOUNCED_ADDRESSES;

thread_local! {
    static ADDRESSES: RefCell<VecDeque<SocketAddr>> = const { RefCell::new(VecDeque::new()) };
    static CURRENT: Cell<Option<SocketAddr>> = const { Cell::new(None) };
}

/// Remembers an address, and takes it for the target of every handshake that
/// `emit`'s signal handlers begin.
pub(crate) fn announce(address: SocketAddr, emit: impl FnOnce()) {
    ADDRESSES.with_borrow_mut(|addresses| {
        addresses.retain(|known| *known != address);
        if addresses.len() == ANNOUNCED_ADDRESSES {
            addresses.pop_front();
        }
        addresses.push_back(address);
    });
    let outer = CURRENT.replace(Some(address));
    emit();
    CURRENT.set(outer);
}

/// Forgets everything: another server's addresses mean nothing.
pub(crate) fn clear() {
    ADDRESSES.take();
}

/// The address whose signal is being handled right now.
pub(crate) fn current() -> Option<SocketAddr> {
    CURRENT.get()
}

/// All addresses that are known.
pub(crate) fn all() -> Vec<SocketAddr> {
    ADDRESSES.with_borrow(|addresses| addresses.iter().copied().collect())
}
