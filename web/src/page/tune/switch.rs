//! Work that goes on until it is switched off.

use std::cell::RefCell;
use std::rc::{Rc, Weak};

#[derive(Default)]
pub struct Switch(RefCell<Option<Lease>>);

/// Its turn lasts until this is dropped.
pub struct Lease {
    _alive: Rc<()>,
}

pub struct Turn(Weak<()>);

impl Lease {
    pub fn new() -> (Self, Turn) {
        let alive = Rc::new(());
        let turn = Turn(Rc::downgrade(&alive));
        (Self { _alive: alive }, turn)
    }
}

impl Turn {
    pub fn lasts(&self) -> bool {
        self.0.strong_count() > 0
    }
}

impl Switch {
    pub fn is_on(&self) -> bool {
        self.0.borrow().is_some()
    }

    pub fn turn_on(&self) -> Turn {
        // A new turn, so that work of an earlier one, when it wakes up, knows that its turn is
        // over.
        let (lease, turn) = Lease::new();
        self.0.replace(Some(lease));
        turn
    }

    pub fn turn_off(&self) {
        self.0.replace(None);
    }
}
