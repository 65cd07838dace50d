//! Methods, and attributes on whole blocks.

use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

use telemetry_layer::{count_me, time_me};

use super::{is_send, ready};

trait Shop {
    #[time_me(name = "trait", outcome)]
    fn with_default(&self) -> u8 {
        self.required()
    }

    fn required(&self) -> u8;

    fn later(&self, by: &u8) -> impl Future<Output = u8> + Send;
}

struct Small(u8);

impl Shop for Small {
    #[time_me(name = "trait", outcome)]
    fn required(&self) -> u8 {
        self.0
    }

    #[time_me(name = "trait", outcome)]
    async fn later(&self, by: &u8) -> u8 {
        self.0 + by
    }
}

impl<'a> From<&'a [u8]> for Small {
    #[time_me(name = "trait", outcome)]
    fn from(all: &'a [u8]) -> Self {
        Self(all.iter().sum())
    }
}

impl Small {
    #[time_me(name = "self", outcome)]
    fn by_value(self) -> u8 {
        self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_ref(&self) -> &u8 {
        &self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_mut(&mut self) -> &mut u8 {
        self.0 += 1;
        &mut self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_box(self: Box<Self>) -> u8 {
        self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_rc(self: Rc<Self>) -> u8 {
        self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_arc(self: &Arc<Self>) -> u8 {
        self.0
    }

    #[time_me(name = "self", outcome)]
    fn by_pin(self: Pin<&mut Self>) -> u8 {
        self.0
    }

    #[time_me(name = "self", outcome)]
    async fn later_mut(&mut self, by: &u8) -> &u8 {
        self.0 += by;
        &self.0
    }

    #[time_me(name = "self", outcome)]
    async fn later_value(mut self, by: u8) -> Self {
        self.0 += by;
        self
    }
}

struct Whole;

#[time_me(span = false)]
impl Whole {
    const fn constant() -> u8 {
        1
    }

    fn counted(&self) -> u8 {
        Self::constant()
    }

    #[skip]
    fn skipped(&self) -> u8 {
        2
    }
}

#[count_me]
mod module {
    pub(super) fn counted() -> u8 {
        skipped()
    }

    #[skip]
    fn skipped() -> u8 {
        3
    }
}

/// Methods of every kind of `self`, of traits, and of blocks that are annotated as a whole.
pub fn methods() {
    let mut small = Small(1);
    assert_eq!((*small.by_mut(), *small.by_ref(), small.with_default(), small.required()), (2, 2, 2, 2));
    assert_eq!((ready(is_send(small.later(&1))), *ready(is_send(small.later_mut(&3)))), (3, 5));
    assert_eq!((Pin::new(&mut small).by_pin(), small.by_value()), (5, 5));
    assert_eq!(
        (Box::new(Small(2)).by_box(), Rc::new(Small(3)).by_rc(), Arc::new(Small(4)).by_arc()),
        (2, 3, 4)
    );
    assert_eq!((Small::from(&[1, 2][..]).0, ready(Small(1).later_value(2)).0), (3, 3));
    assert_eq!((Whole.counted(), Whole.skipped(), module::counted()), (1, 2, 3));
}

struct Both;

#[count_me]
#[time_me(span = false)]
impl Both {
    fn measured(&self) -> u8 {
        self.skipped()
    }

    #[skip]
    fn skipped(&self) -> u8 {
        2
    }
}

/// Methods of a block with two attributes, of which one says that it is to be skipped.
pub fn methods_of_a_block_with_two_attributes() {
    assert_eq!((Both.measured(), Both.skipped()), (2, 2));
}
